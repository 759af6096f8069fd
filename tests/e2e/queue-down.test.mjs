// Whatever is wrong behind the ledger, an answer is neither late nor untrue.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { diff } from "./support/bodies.mjs";
import { serve } from "./support/leasewire.mjs";
import { withoutQueue, withQueueThat } from "./support/stubs.mjs";
import { until } from "./support/wait.mjs";

const EVENTS = 20;
const ANSWER_MS_MAX = 1_000;

const QUEUES = {
  "hangs for ever": withQueueThat("hangs"),
  "refuses every batch": withQueueThat("throws"),
  "isn't bound at all": withoutQueue,
};

for (const [what, options] of Object.entries(QUEUES)) {
  describe(`a queue that ${what}`, () => {
    let worker;
    before(async () => {
      worker = await serve(options);
    });
    after(() => worker?.stop());

    test("delays no answer; the events stay visible and unconfirmed", async () => {
      let slowest_ms = 0;
      for (let n = 1; n <= EVENTS; n += 1) {
        const since = performance.now();
        const answer = await worker.post("propexo", diff("int_1", `lease_${n % 3}`, {}, { n }));
        // The first request of all also starts the Worker.
        if (n > 1) slowest_ms = Math.max(slowest_ms, performance.now() - since);
        assert.deepEqual(answer.json, { status: "accepted", seq: n });
      }
      assert.ok(slowest_ms < ANSWER_MS_MAX, `the slowest answer took ${Math.round(slowest_ms)} ms`);

      const state = await until("the integration to be known", () => worker.state("propexo", "int_1"));
      assert.equal(state.last_seq, EVENTS);
      assert.equal(state.confirmed_seq, 0);
      assert.equal(state.pending + state.unconfirmed, EVENTS);
      assert.equal(state.dead, 0);
      const events = await worker.events("propexo", "int_1");
      assert.deepEqual(
        events.map((event) => event.seq),
        Array.from({ length: EVENTS }, (_item, n) => n + 1),
      );
      for (const { status } of events) assert.ok(["pending", "sent"].includes(status), status);
      assert.deepEqual(await worker.records("propexo", "int_1"), []);
      const again = await worker.post("propexo", diff("int_1", "lease_1", {}, { n: 1 }));
      assert.deepEqual(again.json, { status: "duplicate", seq: 1 });
    });
  });
}

describe("a database that fails", () => {
  let worker;
  before(async () => {
    worker = await serve({ queues: { "leasewire-records": { retryDelay: 1 } } });
    await worker.db.exec("ALTER TABLE integrations RENAME TO hidden");
  });
  after(() => worker?.stop());

  test("delays no answer and loses nothing", async () => {
    for (let n = 1; n <= EVENTS; n += 1) {
      const since = performance.now();
      const answer = await worker.post("propexo", diff("int_1", `lease_${n}`, {}, { n }));
      assert.deepEqual(answer.json, { status: "accepted", seq: n });
      assert.ok(n === 1 || performance.now() - since < ANSWER_MS_MAX);
    }
    const refused = await worker.get("propexo", "int_1", "records", "leases");
    assert.equal(refused.status, 503);
    assert.equal(refused.headers["content-type"], "application/problem+json");
    assert.match(refused.headers["retry-after"], /^\d+$/);
    await worker.db.exec("ALTER TABLE hidden RENAME TO integrations");
    const records = () => worker.records("propexo", "int_1");
    await until("all records to be in D1", async () => (await records()).length === EVENTS);
    const state = await worker.confirmed("propexo", "int_1", EVENTS);
    assert.equal(state.dead, 0);
  });
});
