// The same delivery again: the first one's number, and no effect.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { diff, property, unit } from "./support/bodies.mjs";
import { serve } from "./support/leasewire.mjs";

let worker;
before(async () => {
  worker = await serve();
});
after(() => worker?.stop());

const REPETITIONS = 50;

const DELIVERIES = [
  ["propexo", "int_1", diff("int_1", "lease_1", { status: "pending" }, { status: "approved" })],
  ["propify", "int_1", diff("int_1", "lease_1", { status: "pending" }, { status: "approved" })],
  ["meterbase", "conn_1", unit("conn_1", { id: "unit_1", status: "vacant" })],
  ["real-estate", "default", property("evt_1", { id: "prop_1", price: 750000 })],
  ["propexo", "int_2", JSON.stringify({ event: "JOB_SUCCESS", integration_id: "int_2", job_id: "job_1" })],
  ["propexo", "int_3", JSON.stringify({ event: "SYNC_COMPLETE", integration_id: "int_3" })],
  ["propexo", "int_4", JSON.stringify({ integration_id: "int_4", what: "is this?" })],
];

describe("repetitions", { concurrency: true }, () => {
  for (const [source, integration, body] of DELIVERIES) {
    test(`${source}, ${integration}: ${REPETITIONS} at the same time, and more one by one`, async () => {
      const answers = await Promise.all(Array.from({ length: REPETITIONS }, () => worker.post(source, body)));
      const duplicate = '{"status":"duplicate","seq":1}';
      const others = answers.map((answer) => answer.text).filter((text) => text !== duplicate);
      assert.equal(others.length, 1, `all but one are duplicates: ${others}`);
      assert.match(others[0], /^\{"status":"(accepted|quarantined)","seq":1\}$/);

      await worker.confirmed(source, integration);
      const kept = async () => ({
        state: await worker.state(source, integration),
        events: await worker.events(source, integration),
        event: (await worker.event(source, integration, 1)).text,
        records: await worker.records(source, integration),
        integrations: await worker.rows(
          "SELECT * FROM integrations WHERE source = ? AND integration = ?",
          source,
          integration,
        ),
      });
      const before = await kept();
      assert.equal(before.state.last_seq, 1);
      for (let n = 0; n < 5; n += 1) assert.equal((await worker.post(source, body)).text, duplicate);
      assert.deepEqual(await kept(), before, "a duplicate changes nothing");
    });
  }
});

test("a duplicate gets its own number, not the last one", async () => {
  const body = (n) => diff("int_9", `lease_${n}`, { n: 0 }, { n });
  for (let n = 1; n <= 5; n += 1) {
    assert.equal((await worker.post("propexo", body(n))).text, `{"status":"accepted","seq":${n}}`);
  }
  for (const n of [3, 1, 5, 2, 4]) {
    assert.equal((await worker.post("propexo", body(n))).text, `{"status":"duplicate","seq":${n}}`);
  }
});

test("the same bytes for two integrations are two events", async () => {
  const body = diff(undefined, "lease_1", { status: "pending" }, { status: "approved" });
  for (const source of ["propexo", "propify"]) {
    assert.equal((await worker.post(source, body)).text, '{"status":"accepted","seq":1}');
  }
});

test("white space makes it another event, because the bytes differ", async () => {
  const compact = diff("int_10", "lease_1", { status: "a" }, { status: "b" });
  const spaced = JSON.stringify(JSON.parse(compact), null, 2);
  assert.equal((await worker.post("propexo", compact)).text, '{"status":"accepted","seq":1}');
  assert.equal((await worker.post("propexo", spaced)).text, '{"status":"accepted","seq":2}');
  assert.equal((await worker.post("propexo", `${compact}\n`)).text, '{"status":"accepted","seq":3}');
  assert.equal((await worker.post("propexo", spaced)).text, '{"status":"duplicate","seq":2}');
});

test("a real-estate event is known by its id, whatever its body", async () => {
  const first = property("evt_77", { id: "prop_7", price: 1 });
  const again = property("evt_77", { id: "prop_7", price: 2 });
  const { seq, status } = (await worker.post("real-estate", first)).json;
  assert.equal(status, "accepted");
  assert.deepEqual((await worker.post("real-estate", again)).json, { status: "duplicate", seq });
});
