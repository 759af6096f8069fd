// What is measured: for each measure its cases, and the subjects that they are run on. A case gives
// numbers for one subject and one slice of time; the subjects take turns, slice by slice, so that
// what the machine does meanwhile meets all of them.
//
// `slices` is how many a round has, and `ms` how long load lasts in one. They are short: the machine may
// be half as fast from one second to the next, and what is compared has to be close together. `seconds`
// is about what one takes with all that belongs to it, to tell how long all will take.
// A measure's `before` prepares a subject for its cases, which takes `before_seconds`. One that is
// `apart` starts its subject itself.

import { setTimeout as sleep } from "node:timers/promises";

import { arrivals } from "./arrival.mjs";
import { drain, filled } from "./backlog.mjs";
import { cpuOf, quiet } from "./generator.mjs";
import { many } from "./numbers.mjs";
import { start } from "./subjects.mjs";

const CONNECTIONS = 32;
const INTEGRATIONS = 16;

const accepted = { status: 200, outcome: '"accepted"' };

/** Requests no other slice of the same run has sent. A slice never sends this many. */
const SLICE = 100_000;

/** So many that none runs out before the time is up. */
const enough = (ms, per_s) => Math.ceil((ms / 1000) * per_s);

const BYTES = { medium: "3 KB", large: "100 KB" };
const PER_S_MAX = { small: 20_000, medium: 9_000, large: 3_000 };

export const MATRIX = { connections: [1, 32, 256], integrations: [1, 16, 256] };
export const cell = (connections, integrations) =>
  `accepted, ${many(connections, "connection")}, ${many(integrations, "integration")}`;

/** A ledger's first alarm comes some seconds after its first event. */
const FIRST_ALARMS_MS = 10_000;

const REFUSED = { again: true, wrong: true, status: 401 };

const LONE = { count: 20, count_at_once: 200 };
/** Repeated requests that are sent in turn. */
const REPEATED = 2_000;

async function load({ subject, generator, ms, at }, name, job) {
  const size = job.size ?? "small";
  const result = await generator.run(subject, {
    connections: CONNECTIONS,
    integrations: INTEGRATIONS,
    from: at() * SLICE,
    ms,
    distinct: job.again ? REPEATED : enough(ms, PER_S_MAX[size]),
    ...job,
  });
  if (result.ran_out) throw new Error(`${subject.title}, ${name}: too few requests were made`);
  return result;
}

/** What a webhook costs until nothing is left to do for it: packs, the queue, D1. */
async function loadToTheEnd(run, name, job) {
  const before = cpuOf(run.subject.pid);
  const result = await load(run, name, job);
  await quiet(run.subject);
  return { ...result, whole_cpu_us_each: ((cpuOf(run.subject.pid) - before) / result.done) * 1000 };
}

const acceptedCase = (name, job) => ({
  name,
  run: (run) => loadToTheEnd(run, name, { ...accepted, ...job }),
});

/** A number of events, however long they take. */
const few = (run, job) =>
  run.generator.run(run.subject, { ...accepted, connections: CONNECTIONS, from: run.at() * SLICE, ...job });

/** Loads a subject that has just started. */
export async function warm(subject, run) {
  await load({ ...run, subject }, "warm-up", accepted);
  await quiet(subject);
}

export const MEASURES = {
  401: {
    subjects: ["ours", "other", "twin"],
    slices: 24,
    ms: 500,
    seconds: 1,
    before: (run) => load(run, "401s", REFUSED),
    cases: [{ name: "401s", run: (run) => load(run, "401s", REFUSED) }],
  },
  accepted: {
    subjects: ["ours", "other", "twin", "insert", "answer"],
    slices: 10,
    ms: 1_000,
    seconds: 3,
    cases: [acceptedCase("accepted", {})],
  },
  duplicates: {
    subjects: ["ours", "other", "twin"],
    slices: 16,
    ms: 500,
    seconds: 1,
    /** Gives the number of the first of the events that are repeated. */
    async before(run) {
      const from = run.at() * SLICE;
      await few(run, { from, distinct: REPEATED });
      await quiet(run.subject);
      return from;
    },
    cases: [
      {
        name: "duplicates",
        run: (run) => load(run, "duplicates", { from: run.prepared, again: true, status: 200, outcome: '"duplicate"' }),
      },
    ],
  },
  sizes: {
    subjects: ["ours", "other", "twin", "insert"],
    slices: 4,
    ms: 1_000,
    seconds: 4,
    cases: Object.entries(BYTES).map(([size, bytes]) => acceptedCase(`accepted, bodies of ${bytes}`, { size })),
  },
  matrix: {
    subjects: ["ours", "other", "twin", "insert"],
    slices: 2,
    ms: 1_000,
    seconds: 3,
    before_seconds: 12,
    /** The ledgers are made before, or the first case with so many would pay for it, and for their first alarms. */
    async before(run) {
      const integrations = Math.max(...MATRIX.integrations);
      await few(run, { integrations, distinct: integrations });
      await sleep(FIRST_ALARMS_MS);
      await quiet(run.subject);
    },
    cases: MATRIX.connections.flatMap((connections) =>
      MATRIX.integrations.map((integrations) =>
        acceptedCase(cell(connections, integrations), { connections, integrations }),
      ),
    ),
  },
  arrival: {
    subjects: ["ours", "other", "twin"],
    slices: 1,
    seconds: 26,
    cases: [
      {
        name: "200 to the row in D1",
        run: ({ subject, generator, at }) =>
          arrivals(subject, generator, { ...accepted, from: at() * SLICE, count: LONE.count }),
      },
    ],
  },
  "arrival-at-once": {
    subjects: ["ours", "other", "twin"],
    apart: true,
    slices: 1,
    seconds: 10,
    cases: [
      {
        name: "200 to the row in D1, batches not waited for",
        async run({ name, generator, at }) {
          const subject = await start(name, { consumer: { maxBatchTimeout: 0 } });
          try {
            return await arrivals(subject, generator, { ...accepted, from: at() * SLICE, count: LONE.count_at_once });
          } finally {
            await subject.stop();
          }
        },
      },
    ],
  },
  backlog: {
    subjects: ["ours", "other", "twin"],
    apart: true,
    slices: 4,
    seconds: 8,
    before_seconds: 60,
    before: ({ name, generator, backlog }) => filled(name, generator, { ...accepted, events: backlog }),
    cases: [
      {
        name: "backlog",
        run: ({ name, generator, backlog, prepared }) =>
          drain(name, generator, prepared, { ...accepted, events: backlog }),
      },
    ],
  },
};
