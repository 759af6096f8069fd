// Running other programs, and saying what takes long.

import { spawn } from "node:child_process";

import { root } from "./paths.mjs";

/** A failure whose message says it all: it is shown without a stack. */
export class Stop extends Error {}

/** Runs a script's main function and ends with its outcome. */
export async function main(work) {
  try {
    process.exitCode = (await work()) ?? 0;
  } catch (error) {
    console.error(error instanceof Stop ? `\n${error.message}` : error);
    process.exitCode = 1;
  }
}

export const seconds = (since) => `${((Date.now() - since) / 1000).toFixed(1)} s`;

/**
 * Does a piece of work and says so on one line with the time it took, unless it's over in a moment.
 * `work` may return a remark for the end of that line.
 */
export async function step(title, work) {
  const since = Date.now();
  let shown = false;
  const show = () => {
    shown = true;
    process.stdout.write(`${title} … `);
  };
  const soon = setTimeout(show, 300);
  try {
    const remark = await work();
    clearTimeout(soon);
    if (remark && !shown) show();
    if (shown) console.log(`${seconds(since)}${remark ? `: ${remark}` : ""}`);
  } catch (error) {
    clearTimeout(soon);
    if (!shown) show();
    console.log("failed");
    throw error;
  }
}

/**
 * Runs a program in the checkout. Its output is shown as it comes; with `quiet` it is returned, and
 * shown only if the program fails. Standard input is never passed on: nothing here may ask anything.
 */
export function run(program, args, { quiet = false, env = {} } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ["ignore", quiet ? "pipe" : "inherit", quiet ? "pipe" : "inherit"],
    });
    const output = [];
    child.stdout?.on("data", (data) => output.push(data));
    child.stderr?.on("data", (data) => output.push(data));
    child.on("error", reject);
    child.on("close", (code, signal) => {
      const text = Buffer.concat(output).toString();
      if (code === 0) resolve(text);
      else reject(new Stop(`${text}${[program, ...args].join(" ")}: ended with ${signal ?? code}`));
    });
  });
}
