// The benchmark itself; run.mjs starts it under the right Node.js.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { parseArgs } from "node:util";

import { Generator } from "./lib/generator.mjs";
import { MEASURES } from "./lib/measures.mjs";
import { inRoot } from "./lib/paths.mjs";
import { plot } from "./lib/plot.mjs";
import { summary, table } from "./lib/report.mjs";
import { start, stateRoot, SUBJECTS, wasmSize } from "./lib/subjects.mjs";

const QUICK = { measures: ["accepted", "duplicates", "401"], rounds: 3, ms: 3_000, warm_ms: 2_000 };
const FULL = { measures: Object.keys(MEASURES), rounds: 5, ms: 5_000, warm_ms: 4_000 };

const { values } = parseArgs({
  options: {
    quick: { type: "boolean" },
    only: { type: "string" },
    rounds: { type: "string" },
    "no-build": { type: "boolean" },
  },
});
const plan = { ...(values.quick ? QUICK : FULL) };
if (values.only) plan.measures = values.only.split(",");
if (values.rounds) plan.rounds = Number(values.rounds);
const unknown = plan.measures.filter((name) => !(name in MEASURES));
if (unknown.length) {
  console.error(`There is no measure "${unknown[0]}". There are ${Object.keys(MEASURES).join(", ")}.`);
  process.exit(1);
}

/** By case, by subject: one entry a round. */
const cases = {};
const starts = {};

async function round(number, name) {
  const generator = new Generator();
  const subject = await start(name);
  try {
    (starts[name] ??= []).push(await firstAnswer(subject));
    let last = 0;
    const run = { subject, generator, ms: plan.ms, at: () => (last += 1) };
    // The wasm and the JavaScript both start slow: compilers get better while they run.
    await MEASURES.accepted.run({ ...run, ms: plan.warm_ms });
    for (const measure of plan.measures) {
      if (!MEASURES[measure].subjects.includes(name)) continue;
      for (const [one, result] of Object.entries(await MEASURES[measure].run(run))) {
        ((cases[one] ??= {})[name] ??= []).push({ round: number, ...result });
      }
    }
  } finally {
    generator.stop();
    await subject.stop();
  }
}

/** From the start of workerd, which Miniflare's own preparations precede, to the first answer. */
async function firstAnswer({ port, ready_ms }) {
  const since = performance.now();
  const answer = await fetch(`http://127.0.0.1:${port}/healthz`);
  await answer.arrayBuffer();
  return ready_ms + performance.now() - since;
}

const names = Object.keys(SUBJECTS);
const since = Date.now();
for (let number = 0; number < plan.rounds; number++) {
  // Each round begins with another subject, so that none always has the same neighbours.
  for (let at = 0; at < names.length; at++) {
    const name = names[(at + number) % names.length];
    if (!plan.measures.some((measure) => MEASURES[measure].subjects.includes(name))) continue;
    process.stdout.write(`\rround ${number + 1} of ${plan.rounds}: ${SUBJECTS[name].title}          `);
    await round(number, name);
  }
}
process.stdout.write("\r\u001b[K");

const version = (name) => JSON.parse(readFileSync(inRoot("node_modules", name, "package.json"), "utf8")).version;
const results = {
  at: new Date().toISOString(),
  machine: { processor: cpus()[0].model, cores: cpus().length },
  versions: { node: process.versions.node, miniflare: version("miniflare"), workerd: version("workerd") },
  state: stateRoot === "/dev/shm" ? "in memory" : "on disk",
  plan,
  minutes: (Date.now() - since) / 60_000,
  wasm: wasmSize(),
  starts,
  cases,
};
results.summary = summary(results);
const folder = inRoot("target", "bench");
mkdirSync(folder, { recursive: true });
writeFileSync(`${folder}/results.json`, `${JSON.stringify(results, null, 1)}\n`);
writeFileSync(`${folder}/results.svg`, plot(results));
console.log(table(results));
process.exit(0);
