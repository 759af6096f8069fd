// `npm run bench`: Leasewire beside a JavaScript Worker that does the same, and beside the floor.
//   --quick        some of the measures, in about three minutes
//   --only a,b     some measures: see lib/measures.mjs
//   --rounds n     more rounds, narrower ratios
//   --backlog n    events of the backlog that is drained

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { parseArgs } from "node:util";

import { Generator } from "./lib/generator.mjs";
import { MEASURES } from "./lib/measures.mjs";
import { inRoot } from "./lib/paths.mjs";
import { plot } from "./lib/plot.mjs";
import { clear, Progress } from "./lib/progress.mjs";
import { summary, table } from "./lib/report.mjs";
import { start, stateRoot, SUBJECTS, wasmSize } from "./lib/subjects.mjs";

const QUICK = { measures: ["accepted", "duplicates", "401"], rounds: 3, ms: 3_000, warm_ms: 2_000, backlog: 5_000 };
const FULL = { measures: Object.keys(MEASURES), rounds: 5, ms: 5_000, warm_ms: 4_000, backlog: 50_000 };

const { values } = parseArgs({
  options: {
    quick: { type: "boolean" },
    only: { type: "string" },
    rounds: { type: "string" },
    backlog: { type: "string" },
    "no-build": { type: "boolean" },
  },
});
const plan = { ...(values.quick ? QUICK : FULL) };
if (values.only) plan.measures = values.only.split(",");
if (values.rounds) plan.rounds = Number(values.rounds);
if (values.backlog) plan.backlog = Number(values.backlog);
const unknown = plan.measures.filter((name) => !(name in MEASURES));
if (unknown.length) {
  console.error(`There is no measure "${unknown[0]}". There are ${Object.keys(MEASURES).join(", ")}.`);
  process.exit(1);
}

/** By case, by subject: one entry a round. */
const cases = {};
const starts = {};
/** Half an hour of measuring is not thrown away for what one measure met with. */
const failures = [];

/** What is to be done, in order: each subject in each round is a visit with some measures. */
const names = Object.keys(SUBJECTS);
const visits = Array.from({ length: plan.rounds }, (_item, round) =>
  // Each round begins with another subject, so that none always has the same neighbours.
  names.map((_name, at) => {
    const name = names[(at + round) % names.length];
    const measures = plan.measures.filter((measure) => {
      const { subjects, rounds = Infinity } = MEASURES[measure];
      return subjects.includes(name) && round < rounds;
    });
    return { round, name, measures };
  }),
).flat().filter(({ measures }) => measures.length);

const WARMING = "starting";
const progress = new Progress(
  visits.flatMap(({ name, measures }) =>
    [WARMING, ...measures].map((kind) => ({ kind: `${name} ${kind}`, seconds: MEASURES[kind]?.seconds ?? plan.warm_ms / 1000 + 2 })),
  ),
);

async function visit({ round, name, measures }) {
  const generator = new Generator();
  const says = (what) => progress.next(`round ${round + 1} of ${plan.rounds}, ${SUBJECTS[name].title}: ${what}`);
  let last = 0;
  const run = { name, generator, ms: plan.ms, backlog: plan.backlog, at: () => (last += 1) };
  const measure = async (kind, more) => {
    says(kind);
    try {
      for (const [one, result] of Object.entries(await MEASURES[kind].run({ ...run, ...more }))) {
        ((cases[one] ??= {})[name] ??= []).push({ round, ...result });
      }
    } catch (error) {
      failures.push(`round ${round + 1}, ${SUBJECTS[name].title}, ${kind}: ${error.message}`);
    }
  };
  try {
    says(WARMING);
    const subject = await start(name);
    try {
      (starts[name] ??= []).push(await firstAnswer(subject));
      // The wasm and the JavaScript both start slow: compilers get better while they run.
      await MEASURES.accepted.run({ ...run, subject, ms: plan.warm_ms });
      for (const kind of measures) if (!MEASURES[kind].apart) await measure(kind, { subject });
    } finally {
      await subject.stop();
    }
    for (const kind of measures) if (MEASURES[kind].apart) await measure(kind);
  } finally {
    generator.stop();
  }
}

/** From the start of workerd, which Miniflare's own preparations precede, to the first answer. */
async function firstAnswer({ port, ready_ms }) {
  const since = performance.now();
  const answer = await fetch(`http://127.0.0.1:${port}/healthz`);
  await answer.arrayBuffer();
  return ready_ms + performance.now() - since;
}

const since = Date.now();
for (const one of visits) await visit(one);
clear();

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
  failures,
  cases,
};
results.summary = summary(results);
const folder = inRoot("target", "bench");
mkdirSync(folder, { recursive: true });
writeFileSync(`${folder}/results.json`, `${JSON.stringify(results, null, 1)}\n`);
writeFileSync(`${folder}/results.svg`, plot(results));
console.log(table(results));
for (const failure of failures) console.log(`\nnot measured: ${failure}`);
console.log("\ntarget/bench/results.json has it all, results.svg beside it shows it.");
process.exit(failures.length ? 1 : 0);
