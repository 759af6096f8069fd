// Puts counting.js around a Worker, and reads what it has counted.

import { relative } from "node:path";

import { inBench, inRoot } from "./paths.mjs";

/**
 * Changes Miniflare's options of a Worker, so that what Cloudflare bills is counted.
 * - `wakeSooner`: alarms go off after this fraction of their time.
 */
export function count(options, { wakeSooner = 1 } = {}) {
  const [main] = options.modules;
  const from = JSON.stringify(`./${relative(inBench(), main.path)}`.replace("./../", "../"));
  const counted = [
    `export * from ${from};`,
    `export { default } from ${from};`,
    `export const wake_sooner = ${wakeSooner};`,
  ];
  options.modulesRoot = inRoot();
  options.modules = [
    { type: "ESModule", path: inBench("counting.js") },
    { type: "ESModule", path: inBench("counted.js"), contents: counted.join("\n") },
    ...options.modules,
  ];
  // To tell which object a timer belongs to.
  options.compatibilityFlags = [...(options.compatibilityFlags ?? []), "nodejs_als"];
}

/** What was counted since the start of the Worker at `url`. */
export async function counts(url) {
  const answer = await fetch(new URL("/counted", url));
  return answer.json();
}

/** Puts the clock of the Worker at `url` forward. */
export async function putForward(url, ms) {
  await fetch(new URL(`/counted?later_ms=${ms}`, url));
}

/** What was counted between two looks. */
export const between = (before, after) =>
  Object.fromEntries(Object.keys(after).map((name) => [name, after[name] - before[name]]));
