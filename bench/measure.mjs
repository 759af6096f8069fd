// `npm run bench`: Leasewire beside a JavaScript Worker that does the same, and beside the floor.
//   --quick        some of the measures, in about three minutes
//   --only a,b     some measures: see lib/measures.mjs
//   --rounds n     more rounds, narrower ratios
//   --backlog n    events of the backlog that is drained
//   --against dir  beside another build of Leasewire, too: a folder as `npm run build` makes build/

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { parseArgs } from "node:util";

import { Generator } from "./lib/generator.mjs";
import { MEASURES, warm } from "./lib/measures.mjs";
import { inRoot } from "./lib/paths.mjs";
import { plot } from "./lib/plot.mjs";
import { clear, Progress } from "./lib/progress.mjs";
import { summary, table } from "./lib/report.mjs";
import { build, SUBJECTS, start, stateRoot, wasmSize } from "./lib/subjects.mjs";

const QUICK = { measures: ["401", "accepted", "duplicates"], rounds: 1, warm_ms: 4_000, backlog: 5_000 };
const FULL = { measures: Object.keys(MEASURES), rounds: 3, warm_ms: 5_000, backlog: 50_000 };

const { values } = parseArgs({
  options: {
    quick: { type: "boolean" },
    only: { type: "string" },
    rounds: { type: "string" },
    backlog: { type: "string" },
    against: { type: "string" },
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
if (values.against) SUBJECTS.other = build("the other build", values.against);

/** By case, by subject: one entry a slice. */
const cases = {};
const starts = {};
/** Half an hour of measuring is not thrown away for what one measure met with. */
const failures = [];

const titles = new Map(Object.entries(SUBJECTS).map(([name, { title }]) => [name, title]));
const takesPart = (kind) => MEASURES[kind].subjects.filter((name) => titles.has(name));
/** The subjects in turn, each time another one first, so that none always has the same neighbour. */
const inTurn = (names, turn) => names.map((_name, at) => names[(at + turn) % names.length]);

const WARMING = "starting";
const shared = plan.measures.filter((kind) => !MEASURES[kind].apart);
const apart = plan.measures.filter((kind) => MEASURES[kind].apart);
const runners = [...titles.keys()].filter((name) => shared.some((kind) => takesPart(kind).includes(name)));

/** What a round consists of, for the progress: as `measure` walks through it. */
const round = [
  ...runners.map(() => ({ kind: WARMING, seconds: plan.warm_ms / 1000 + 2 })),
  ...[...shared, ...apart].flatMap((kind) => {
    const { before, before_seconds = 1, slices, seconds, cases } = MEASURES[kind];
    const names = takesPart(kind);
    const first = before ? names.map(() => ({ kind: `before ${kind}`, seconds: before_seconds })) : [];
    return [...first, ...Array.from({ length: slices * cases.length * names.length }, () => ({ kind, seconds }))];
  }),
];
const progress = new Progress(Array.from({ length: plan.rounds }, () => round).flat());

/** Numbers of requests: a subject has each once. */
let last = 0;

/** One measure in one round, on its subjects: those that run, or, for one apart, just their names. */
async function measure(kind, { round, generator, subjects }) {
  const { before, cases: all, slices, ms } = MEASURES[kind];
  const names = takesPart(kind);
  const run = { generator, ms, backlog: plan.backlog, at: () => (last += 1) };
  const prepared = {};
  const runOf = (name) => ({ ...run, name, subject: subjects[name], prepared: prepared[name] });
  const says = (what, name) => progress.next(`round ${round + 1} of ${plan.rounds}: ${what}, ${titles.get(name)}`);
  for (const name of before ? names : []) {
    says(`before ${kind}`, name);
    prepared[name] = await before(runOf(name));
  }
  for (const one of all) {
    for (let slice = 0; slice < slices; slice++) {
      for (const name of inTurn(names, slice + round)) {
        says(one.name, name);
        const result = await one.run(runOf(name));
        cases[one.name] ??= {};
        cases[one.name][name] ??= [];
        cases[one.name][name].push({ round, slice, ...result });
      }
    }
  }
}

async function tryTo(kind, run) {
  try {
    await measure(kind, run);
  } catch (error) {
    failures.push(`round ${run.round + 1}, ${kind}: ${error.message}`);
  }
}

async function visit(round) {
  const generator = new Generator();
  try {
    await visitShared({ round, generator });
    for (const kind of apart) await tryTo(kind, { round, generator, subjects: {} });
  } finally {
    generator.stop();
  }
}

/** Measures what all subjects take turns in, while they all run. */
async function visitShared({ round, generator }) {
  const subjects = {};
  try {
    for (const name of inTurn(runners, round)) {
      progress.next(`round ${round + 1} of ${plan.rounds}: ${WARMING}, ${titles.get(name)}`);
      const subject = await start(name);
      subjects[name] = subject;
      starts[name] ??= [];
      starts[name].push(await firstAnswer(subject));
      // The wasm and the JavaScript both start slow: compilers get better while they run.
      await warm(subject, { generator, ms: plan.warm_ms, at: () => (last += 1) });
    }
    for (const kind of shared) await tryTo(kind, { round, generator, subjects });
  } finally {
    for (const subject of Object.values(subjects)) await subject.stop();
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
for (let round = 0; round < plan.rounds; round++) await visit(round);
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
