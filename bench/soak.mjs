// `npm run soak`: many webhooks through one isolate and 200 integrations, and what grows meanwhile.
// It fails if a goal is missed.
//   --webhooks n     300,000 if not given
//   --per-second n   how many are due in a second; 200 if not given
//   --subject twin   whether the same grows in the JavaScript twin, or in the runtime alone
//
// The webhooks go in parts, most of each under load. Spread over so many integrations, a webhook
// takes 3 to 5 ms of the one thread that runs the Worker, its ledgers, Miniflare's queue and its D1.
// So at 200 a second it is nearly always busy, and how long an answer takes then is how long it waits
// in line: several times as long where the machine is a fifth slower. Under load, therefore, it's
// processor time that is judged. Then all events must be in D1, and the rest of the part is sent one
// after the other, in turns with the floor, a row into one table: times in the floor's times say what
// became slower, whatever the machine does meanwhile. Last, memory is looked at.

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
import { look, SUBJECTS, start } from "./lib/subjects.mjs";

const PARTS = 60;
const SPREAD = { integrations: 200, records: 50 };
const LAG_MS_MAX = 120_000;
/** How often ours and the floor take turns, and how many webhooks each gets then, at the most. */
const TURNS = 5;
const TURN_MAX = 100;
const QUIET_SECONDS = 6;
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
const turn = Math.min(TURN_MAX, Math.ceil(each / (4 * TURNS)));
const loaded = each - TURNS * turn;
const per_s = Number(values["per-second"]);
const webhooks = each * PARTS;

const generator = new Generator();
const subject = await start(name, { inspectorPort: 0 });
const floor = await start("insert");
const inspector = await inspect(subject);
const progress = new Progress(
  Array.from({ length: PARTS }, () => ({ kind: "part", seconds: loaded / per_s + QUIET_SECONDS })),
);
const failures = [];
const parts = [];
const since = performance.now();

/** Waits until the first `sent` webhooks are in D1. */
async function settle(sent) {
  const from = performance.now();
  const row = await look(subject, ARRIVED, [sent], { ms: LAG_MS_MAX, every_ms: 50 });
  if (!row?.done)
    failures.push(`${sent - (row?.events ?? 0)} of ${sent} events are not in D1 after ${LAG_MS_MAX / 1000} s`);
  return performance.now() - from;
}

const ACCEPTED = { ...SPREAD, status: 200, outcome: '"accepted"', lists: true };

async function load(from) {
  const cpuBefore = cpuOf(subject.pid);
  const job = { ...ACCEPTED, connections: 32, per_s, from, distinct: loaded };
  const { latencies, ...result } = await generator.run(subject, job);
  const { events } = await look(subject, ARRIVED, [0]);
  const waited_ms = await settle(from + loaded);
  return {
    per_s: result.per_s,
    p50_ms: quantile(latencies, 0.5),
    p99_ms: quantile(latencies, 0.99),
    lag_events: from + loaded - events,
    waited_ms,
    cpu_us_each: ((cpuOf(subject.pid) - cpuBefore) / loaded) * 1000,
    others_cores: result.others_cpu_ms / result.elapsed_ms,
  };
}

async function quiet(from) {
  const times = new Map([
    [subject, []],
    [floor, []],
  ]);
  for (let number = 0; number < TURNS; number++) {
    for (const [which, latencies] of times) {
      const job = { ...ACCEPTED, connections: 1, from: from + number * turn, distinct: turn };
      latencies.push(...(await generator.run(which, job)).latencies);
    }
  }
  return {
    quiet_p50_ms: quantile(times.get(subject), 0.5),
    quiet_p99_ms: quantile(times.get(subject), 0.99),
    floor_p50_ms: quantile(times.get(floor), 0.5),
  };
}

async function part(number) {
  progress.next(`${SUBJECTS[name].title}: ${number * each} of ${webhooks} webhooks`);
  const underLoad = await load(number * each);
  const alone = await quiet(number * each + loaded);
  parts.push({
    webhooks: (number + 1) * each,
    at_s: (performance.now() - since) / 1000,
    ...underLoad,
    ...alone,
    ...residentBytes(subject.pid),
    heap_bytes: await heapBytes(inspector),
    wasm_bytes: (await wasmBytes(inspector)).reduce((sum, bytes) => sum + bytes, 0),
  });
}

for (let number = 0; number < PARTS && failures.length < FAILURES_MAX; number++) {
  await part(number).catch((error) => failures.push(error.message));
}
if (!failures.length) await settle(webhooks);
clear();
inspector.close();
generator.stop();
await Promise.all([subject.stop(), floor.stop()]);

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
