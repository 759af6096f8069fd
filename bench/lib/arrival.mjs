// How long a lone event takes from its 200 to its row in D1.

import { place } from "./bodies.mjs";
import { quiet } from "./generator.mjs";
import { quantile } from "./numbers.mjs";
import { look } from "./subjects.mjs";

// In turn, so that the pause between two packs of a ledger is over when its next event comes.
const SPREAD = { integrations: 64, records: 1_000_000 };

const ROW =
  "SELECT 1 AS done FROM records WHERE source = 'propexo' AND integration = ? AND model = 'leases' AND record_id = ?";
const ROW_MS_MAX = 20_000;

/** Sends `count` webhooks from number `from` on, each when the one before it has arrived. */
export async function arrivals(subject, generator, { from, count, ...accepted }) {
  const job = { ...accepted, ...SPREAD, connections: 1 };
  // Ledgers that exist: making one is another matter.
  await generator.run(subject, { ...job, from, distinct: SPREAD.integrations });
  await quiet(subject);
  const times_ms = [];
  for (let n = from + SPREAD.integrations; times_ms.length < count; n++) {
    const { ended_at } = await generator.run(subject, { ...job, from: n, distinct: 1 });
    const { integration, record } = place(n, SPREAD);
    const row = await look(subject, ROW, [integration, record], { ms: ROW_MS_MAX });
    if (!row?.done) throw new Error(`${subject.title}: a record is not in D1 after ${ROW_MS_MAX / 1000} s`);
    times_ms.push(performance.timeOrigin + performance.now() - ended_at);
  }
  return { p50_ms: quantile(times_ms, 0.5), p99_ms: quantile(times_ms, 0.99), times_ms };
}
