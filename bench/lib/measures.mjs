// What is measured of a subject while it runs. Each measure gives numbers by the name of its case.

import { quiet } from "./generator.mjs";

const CONNECTIONS = 32;
const INTEGRATIONS = 16;

const accepted = { status: 200, outcome: '"accepted"' };

/** Requests no other case of the same run has sent. A case never sends this many. */
const CASE = 1_000_000;

/** So many that none runs out before the time is up. */
const enough = (ms, per_s) => Math.ceil((ms / 1000) * per_s);

const BYTES = { small: "0.3 KB", medium: "3 KB", large: "100 KB" };
const PER_S_MAX = { small: 12_000, medium: 6_000, large: 800 };

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

export const MEASURES = {
  accepted: {
    subjects: ["ours", "twin", "insert", "answer"],
    run: (run) => load(run, "accepted", accepted),
  },
  matrix: {
    subjects: ["ours", "twin", "insert"],
    async run(run) {
      const all = {};
      for (const connections of [1, 32, 256]) {
        for (const integrations of [1, 16, 256]) {
          const name = `accepted, ${connections} connections, ${integrations} integrations`;
          Object.assign(all, await load(run, name, { ...accepted, connections, integrations }));
        }
      }
      return all;
    },
  },
  sizes: {
    subjects: ["ours", "twin", "insert"],
    async run(run) {
      const all = {};
      for (const size of ["medium", "large"]) {
        Object.assign(all, await load(run, `accepted, bodies of ${BYTES[size]}`, { ...accepted, size }));
      }
      return all;
    },
  },
  duplicates: {
    subjects: ["ours", "twin"],
    async run(run) {
      const job = { from: run.at() * CASE, distinct: 2_000 };
      await load({ ...run, ms: 60_000 }, "", { ...accepted, ...job }).catch(() => {});
      return load(run, "duplicates", { ...job, again: true, status: 200, outcome: '"duplicate"' });
    },
  },
  401: {
    subjects: ["ours", "twin"],
    async run(run) {
      const job = { again: true, wrong: true, status: 401 };
      await load({ ...run, ms: run.ms / 4 }, "", job);
      return load(run, "401", job);
    },
  },
};
