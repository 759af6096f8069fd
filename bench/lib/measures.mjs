// What is measured. Each measure gives numbers by the name of its case, for each of its `subjects`,
// in the first `rounds` rounds or all of them. One that is `apart` starts its subject itself.
// `seconds` is about what it takes, to tell how long all will take.

import { arrivals } from "./arrival.mjs";
import { drain } from "./backlog.mjs";
import { cpuOf, quiet } from "./generator.mjs";
import { many } from "./numbers.mjs";
import { start } from "./subjects.mjs";

const CONNECTIONS = 32;
const INTEGRATIONS = 16;

const accepted = { status: 200, outcome: '"accepted"' };

/** Requests no other case of the same run has sent. A case never sends this many. */
const CASE = 1_000_000;

/** So many that none runs out before the time is up. */
const enough = (ms, per_s) => Math.ceil((ms / 1000) * per_s);

const BYTES = { medium: "3 KB", large: "100 KB" };
const PER_S_MAX = { small: 12_000, medium: 9_000, large: 3_000 };

export const MATRIX = { connections: [1, 32, 256], integrations: [1, 16, 256] };
export const cell = (connections, integrations) => `accepted, ${many(connections, "connection")}, ${many(integrations, "integration")}`;
/** Shorter than a case of its own: the matrix has nine, and a second of large bodies takes a lot of memory. */
const SHORT = 0.5;

const LONE = { count: 20, count_at_once: 200 };

async function load({ subject, generator, ms, at }, name, job) {
  await quiet(subject);
  const size = job.size ?? "small";
  const result = await generator.run(subject, {
    connections: CONNECTIONS,
    integrations: INTEGRATIONS,
    from: at() * CASE,
    ms,
    distinct: job.again ? 2_000 : enough(ms, PER_S_MAX[size]),
    ...job,
  });
  if (result.ran_out) throw new Error(`${subject.title}, ${name}: too few requests were made`);
  return { [name]: result };
}

/** What a webhook costs until nothing is left to do for it: packs, the queue, D1. */
async function loadToTheEnd(run, name, job) {
  await quiet(run.subject);
  const before = cpuOf(run.subject.pid);
  const { [name]: result } = await load(run, name, job);
  await quiet(run.subject);
  return { [name]: { ...result, whole_cpu_us_each: ((cpuOf(run.subject.pid) - before) / result.done) * 1000 } };
}

export const MEASURES = {
  accepted: {
    subjects: ["ours", "twin", "insert", "answer"],
    seconds: 8,
    run: (run) => loadToTheEnd(run, "accepted", accepted),
  },
  duplicates: {
    subjects: ["ours", "twin"],
    seconds: 10,
    async run(run) {
      const job = { from: run.at() * CASE, distinct: 2_000 };
      await load({ ...run, ms: 60_000 }, "", { ...accepted, ...job }).catch(() => {});
      return load(run, "duplicates", { ...job, again: true, status: 200, outcome: '"duplicate"' });
    },
  },
  401: {
    subjects: ["ours", "twin"],
    seconds: 8,
    async run(run) {
      const job = { again: true, wrong: true, status: 401 };
      await load({ ...run, ms: run.ms / 4 }, "", job);
      return load(run, "401s", job);
    },
  },
  sizes: {
    subjects: ["ours", "twin", "insert"],
    rounds: 3,
    seconds: 20,
    async run({ ms, ...run }) {
      const all = {};
      for (const size of ["medium", "large"]) {
        Object.assign(all, await load({ ...run, ms: ms * SHORT }, `accepted, bodies of ${BYTES[size]}`, { ...accepted, size }));
      }
      return all;
    },
  },
  matrix: {
    subjects: ["ours", "twin", "insert"],
    rounds: 3,
    seconds: 45,
    async run({ ms, ...run }) {
      const all = {};
      // The ledgers are made before, or the first case with so many would pay for it.
      const integrations = Math.max(...MATRIX.integrations);
      await run.generator.run(run.subject, {
        ...accepted, integrations, connections: CONNECTIONS, from: run.at() * CASE, distinct: integrations,
      });
      for (const connections of MATRIX.connections) {
        for (const integrations of MATRIX.integrations) {
          const job = { ...accepted, connections, integrations };
          Object.assign(all, await load({ ...run, ms: ms * SHORT }, cell(connections, integrations), job));
        }
      }
      return all;
    },
  },
  arrival: {
    subjects: ["ours", "twin"],
    seconds: 26,
    run: async ({ subject, generator, at }) => ({
      "200 to the row in D1": await arrivals(subject, generator, { ...accepted, from: at() * CASE, count: LONE.count }),
    }),
  },
  "arrival-at-once": {
    subjects: ["ours", "twin"],
    apart: true,
    seconds: 10,
    async run({ name, generator, at }) {
      const subject = await start(name, { consumer: { maxBatchTimeout: 0 } });
      try {
        const job = { ...accepted, from: at() * CASE, count: LONE.count_at_once };
        return { "200 to the row in D1, batches not waited for": await arrivals(subject, generator, job) };
      } finally {
        await subject.stop();
      }
    },
  },
  backlog: {
    subjects: ["ours", "twin"],
    apart: true,
    rounds: 3,
    seconds: 60,
    run: async ({ name, generator, backlog }) => ({
      backlog: await drain(name, generator, { ...accepted, events: backlog }),
    }),
  },
};
