// Stopped and started again on the same folder: the ledgers go on where they were.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { diff, property } from "./support/bodies.mjs";
import { newFolder, removeFolder } from "./support/folders.mjs";
import { RECORDS_QUEUE, serve } from "./support/leasewire.mjs";

const folder = newFolder();
let worker;

before(async () => {
  worker = await serve({ folder });
});
after(async () => {
  await worker?.stop();
  removeFolder(folder);
});

const ROUNDS = 3;
const EACH = 20;

test("numbers go on without a gap, and old deliveries stay known", async () => {
  const body = (n) => diff("int_1", `lease_${n % 7}`, { n: null }, { [`n${n}`]: n });
  for (let round = 0; round < ROUNDS; round += 1) {
    for (let n = round * EACH; n < (round + 1) * EACH; n += 1) {
      assert.deepEqual((await worker.post("propexo", body(n))).json, { status: "accepted", seq: n + 1 });
    }
    const sent = (round + 1) * EACH;
    const before = await worker.confirmed("propexo", "int_1", sent);
    const events = await worker.events("propexo", "int_1");
    const records = await worker.records("propexo", "int_1");

    await worker.stop();
    worker = await serve({ folder });

    assert.deepEqual(await worker.records("propexo", "int_1"), records);
    for (let n = 0; n < sent; n += 1) {
      assert.deepEqual((await worker.post("propexo", body(n))).json, { status: "duplicate", seq: n + 1 });
    }
    // What was confirmed last is known only to the memory until the next event is written, so it
    // may go out again: with no effect.
    assert.deepEqual(await worker.confirmed("propexo", "int_1", sent), before);
    assert.deepEqual(await worker.events("propexo", "int_1"), events);
    const without = (rows) => rows.map(({ updated_at: _when, ...row }) => row);
    assert.deepEqual(without(await worker.records("propexo", "int_1")), without(records));
  }
});

test("stopped before anything was applied: it all arrives after the start", async () => {
  // Without a consumer that gets to it in time, the packs are lost with the queue.
  await worker.stop();
  worker = await serve({ folder, queues: { [RECORDS_QUEUE]: { maxBatchSize: 100, maxBatchTimeout: 60 } } });
  for (let n = 1; n <= 30; n += 1) {
    const answer = await worker.post("real-estate", property(`evt_${n}`, { id: `prop_${n}`, n }));
    assert.deepEqual(answer.json, { status: "accepted", seq: n });
  }
  assert.deepEqual(await worker.records("real-estate", "default"), []);
  await worker.stop();
  worker = await serve({ folder });
  // The first delivery wakes the ledger, even if it's a repetition.
  const again = await worker.post("real-estate", property("evt_1", { id: "prop_1", n: 1 }));
  assert.deepEqual(again.json, { status: "duplicate", seq: 1 });
  await worker.confirmed("real-estate", "default", 30);
  assert.equal((await worker.records("real-estate", "default")).length, 30);
});
