// `npm run soak`: many webhooks through one isolate and 200 integrations, and what grows meanwhile.
// It fails if a goal is missed.
//   --webhooks n     300,000 if not given
//   --per-second n   how many are due in a second; 200 if not given
//   --subject twin   whether the same grows in the JavaScript twin, or in the runtime alone
//
// The webhooks go in parts. After each, memory is looked at, and the next one waits until all but a
// few events are in D1: so what is measured is the Worker, and not a queue that grows because
// Miniflare's queue and D1, which share this machine, are slower than their originals. For the same
// reason fewer are due than the machine can take: spread over so many integrations, with D1 and the
// queue on it, a webhook takes 4 to 6 ms of a core, and two cores at 400 a second are busy throughout.

import { mkdirSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";

import { cpuOf, Generator } from "./lib/generator.mjs";
import { inspect } from "./lib/inspector.mjs";
import { heapBytes, residentBytes, wasmBytes } from "./lib/memory.mjs";
import { quantile } from "./lib/numbers.mjs";
import { inRoot } from "./lib/paths.mjs";
import { clear, Progress } from "./lib/progress.mjs";
import { plot } from "./lib/soak-plot.mjs";
import { judge, table } from "./lib/soak-report.mjs";
import { look, start, SUBJECTS } from "./lib/subjects.mjs";

const PARTS = 60;
const SPREAD = { integrations: 200, records: 50 };
const LAG_EVENTS_MAX = 2_000;
const LAG_MS_MAX = 120_000;
const FAILURES_MAX = 10;

/** Events that have reached D1: of each integration those up to its newest record's version. */
const ARRIVED = `SELECT sum(version) AS events, sum(version) >= ? AS done FROM
  (SELECT max(version) AS version FROM records GROUP BY source, integration)`;

const { values } = parseArgs({
  options: {
    webhooks: { type: "string", default: "300000" },
    "per-second": { type: "string", default: "200" },
    subject: { type: "string", default: "ours" },
    "no-build": { type: "boolean" },
  },
});
const name = values.subject;
if (!["ours", "twin"].includes(name)) {
  console.error(`There is no subject "${name}" to soak. There are ours, twin.`);
  process.exit(1);
}
const each = Math.ceil(Number(values.webhooks) / PARTS);
const per_s = Number(values["per-second"]);
const webhooks = each * PARTS;

const generator = new Generator();
const subject = await start(name, { inspectorPort: 0 });
const inspector = await inspect(subject);
const progress = new Progress(Array.from({ length: PARTS }, () => ({ kind: "part", seconds: each / per_s + 1 })));
const failures = [];
const parts = [];
const since = performance.now();

/** Waits until at most `lag` of the webhooks sent so far are on their way to D1. */
async function settle(sent, lag) {
  const wanted = sent - lag;
  const from = performance.now();
  const row = await look(subject, ARRIVED, [wanted], { ms: LAG_MS_MAX, every_ms: 50 });
  if (!row?.done) failures.push(`${sent - (row?.events ?? 0)} of ${sent} events are not in D1 after ${LAG_MS_MAX / 1000} s`);
  return performance.now() - from;
}

async function part(number) {
  progress.next(`${SUBJECTS[name].title}: ${number * each} of ${webhooks} webhooks`);
  const cpuBefore = cpuOf(subject.pid);
  const job = { ...SPREAD, status: 200, outcome: '"accepted"', connections: 32, per_s, lists: true };
  const { latencies, ...load } = await generator.run(subject, { ...job, from: number * each, distinct: each });
  const sent = (number + 1) * each;
  const { events } = await look(subject, ARRIVED, [0]);
  const waited_ms = await settle(sent, LAG_EVENTS_MAX);
  parts.push({
    webhooks: sent,
    at_s: (performance.now() - since) / 1000,
    per_s: load.per_s,
    p50_ms: quantile(latencies, 0.5),
    p99_ms: quantile(latencies, 0.99),
    lag_events: sent - events,
    waited_ms,
    cpu_us_each: ((cpuOf(subject.pid) - cpuBefore) / each) * 1000,
    others_cores: load.others_cpu_ms / load.elapsed_ms,
    ...residentBytes(subject.pid),
    heap_bytes: await heapBytes(inspector),
    wasm_bytes: (await wasmBytes(inspector)).reduce((sum, bytes) => sum + bytes, 0),
  });
}

for (let number = 0; number < PARTS && failures.length < FAILURES_MAX; number++) {
  await part(number).catch((error) => failures.push(error.message));
}
if (!failures.length) await settle(webhooks, 0);
clear();
inspector.close();
generator.stop();
await subject.stop();

const results = {
  at: new Date().toISOString(),
  subject: name,
  webhooks,
  per_s,
  ...SPREAD,
  minutes: (performance.now() - since) / 60_000,
  failures,
  parts,
};
results.goals = judge(results);
const folder = inRoot("target", "soak");
const file = name === "ours" ? "results" : name;
mkdirSync(folder, { recursive: true });
writeFileSync(`${folder}/${file}.json`, `${JSON.stringify(results, null, 1)}\n`);
writeFileSync(`${folder}/${file}.svg`, plot(results));
console.log(table(results));
console.log(`\ntarget/soak/${file}.json has it all, ${file}.svg beside it shows it.`);
process.exit(results.goals.every(({ met }) => met) ? 0 : 1);
