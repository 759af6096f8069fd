// Rows written, which is what an event costs: counted where they are written, by a module around the
// Worker's own.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { between, count, counts } from "../../bench/lib/count.mjs";
import { diff, unit } from "./support/bodies.mjs";
import { serve } from "./support/leasewire.mjs";
import { until } from "./support/wait.mjs";

let worker;
let last;
before(async () => {
  worker = await serve({ adjust: count });
  last = await counts(worker.url);
});
after(() => worker?.stop());

/** Rows written since the last call. */
async function rows() {
  const now = await counts(worker.url);
  const { rows_written: ledger, d1_rows_written: d1, alarms_set: alarms } = between(last, now);
  last = now;
  return { ledger, d1, alarms };
}

const lease = (n, from, to) => diff("int_1", `lease_${n}`, { status: from }, { status: to });

test("rows written for each kind of delivery", async (t) => {
  const send = async (source, body) => {
    const answer = await worker.post(source, body);
    assert.equal(answer.status, 200, answer.text);
    return answer.json;
  };
  const through = async (source, integration, seq) => {
    await worker.confirmed(source, integration, seq);
    const counted = await rows();
    t.diagnostic(`${source}/${integration} through ${seq}: ${JSON.stringify(counted)}`);
    return counted;
  };

  await send("propexo", lease(0, "a", "b"));
  const { alarms } = await through("propexo", "int_1", 1);
  assert.equal(alarms, 1, "the first event arms the alarm");
  // It came alone, so the alarm goes off in seconds, writes the watermark, and isn't set again.
  await until("the watermark to be written", async () => (await rows()).ledger === 1, { ms: 20_000 });

  await send("propexo", lease(1, "a", "b"));
  // A row of the log, a row of the record; in D1 the record, and the integration's for the pack. The
  // alarm is set for a minute, and what comes in that minute shares it.
  assert.deepEqual(await through("propexo", "int_1", 2), { ledger: 2, d1: 2, alarms: 1 });

  await send("propexo", lease(1, "b", "c"));
  assert.deepEqual(await through("propexo", "int_1", 3), { ledger: 2, d1: 2, alarms: 0 });

  for (let n = 0; n < 5; n += 1) {
    assert.equal((await send("propexo", lease(1, "b", "c"))).status, "duplicate");
  }
  assert.deepEqual(await rows(), { ledger: 0, d1: 0, alarms: 0 }, "a duplicate writes nothing");

  const BUSY = 200;
  await Promise.all(Array.from({ length: BUSY }, (_, n) => send("propexo", lease(100 + n, "a", "b"))));
  const busy = await through("propexo", "int_1", 3 + BUSY);
  assert.equal(busy.ledger, 2 * BUSY);
  assert.equal(busy.alarms, 0);
  assert.ok(busy.d1 >= BUSY && busy.d1 < 1.2 * BUSY, `${busy.d1} rows in D1 for ${BUSY} events`);

  await send("propexo", JSON.stringify({ event: "JOB_SUCCESS", integration_id: "int_1", job_id: "job_1" }));
  // A row of the log and its key, as there is no record to find a repetition by; the integration's.
  assert.deepEqual(await through("propexo", "int_1", 4 + BUSY), { ledger: 2, d1: 1, alarms: 0 });

  await send("meterbase", unit("conn_1", { id: "unit_1", status: "vacant" }));
  await through("meterbase", "conn_1", 1);
  await send(
    "meterbase",
    unit("conn_1", { id: "unit_1", status: "vacant" }, new Date(Date.now() - 60_000).toISOString()),
  );
  // A late event: its record's row is written for the next repetition to be found, D1's isn't.
  assert.deepEqual(await through("meterbase", "conn_1", 2), { ledger: 2, d1: 1, alarms: 0 });

  await send("meterbase", unit("conn_1", { id: "unit_1", status: "occupied" }));
  // A turn is one row more in D1.
  assert.deepEqual(await through("meterbase", "conn_1", 3), { ledger: 2, d1: 3, alarms: 0 });
});
