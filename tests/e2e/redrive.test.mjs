// A redrive of a whole source brings back what died and what could not be applied, of every integration.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { diff } from "./support/bodies.mjs";
import { request } from "./support/http.mjs";
import { DEAD_QUEUE, RECORDS_QUEUE, serve } from "./support/leasewire.mjs";
import { SECRETS } from "./support/sign.mjs";
import { until } from "./support/wait.mjs";

const QUEUES = {
  [RECORDS_QUEUE]: { retryDelay: 1, maxBatchTimeout: 0, maxRetries: 1 },
  [DEAD_QUEUE]: { retryDelay: 1, maxBatchTimeout: 0 },
};
/** A ledger reports by its alarm, 60 to 75 s after it was set. */
const REPORT_MS_MAX = 100_000;

describe("a source in trouble", () => {
  let worker;
  before(async () => {
    worker = await serve({ queues: QUEUES });
  });
  after(() => worker?.stop());

  const redrive = (source, query = "", body = undefined, token = SECRETS.API_TOKEN) =>
    request(`${worker.url}/v1/sources/${source}/redrive${query}`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}` },
      body,
    });
  const post = async (integration, record) => {
    const answer = await worker.post("propexo", diff(integration, record, {}, { n: 1 }));
    assert.equal(answer.json.status, "accepted");
  };
  const listed = async (integration) => {
    const rows = await worker.rows("SELECT dead, quarantined FROM integrations WHERE integration = ?", integration);
    return [rows[0]?.dead, rows[0]?.quarantined];
  };
  const records = async (integration) =>
    (await worker.records("propexo", integration)).map((row) => row.record_id).sort();

  test("has nothing to redrive at first", async () => {
    await post("int_well", "lease_1");
    await worker.confirmed("propexo", "int_well", 1);
    const answer = await redrive("propexo");
    assert.deepEqual([answer.status, answer.json], [202, { integrations: [], next: null }]);
  });

  test("is refused what isn't right", async () => {
    const refusal = async (...asked) => {
      const answer = await redrive(...asked);
      assert.equal(answer.headers["content-type"], "application/problem+json");
      return [answer.status, answer.json.type.split(":").at(-1)];
    };
    assert.deepEqual(await refusal("nobody"), [404, "unknown-source"]);
    assert.deepEqual(await refusal("propexo", "?limit=0"), [400, "bad-parameter"]);
    assert.deepEqual(await refusal("propexo", "", '{"from":1}'), [400, "bad-body"]);
    assert.deepEqual(await refusal("propexo", "", "", "wrong"), [401, "bad-token"]);
    await worker.db.exec("ALTER TABLE integrations RENAME TO hidden");
    assert.deepEqual(await refusal("propexo"), [503, "database-unavailable"]);
    await worker.db.exec("ALTER TABLE hidden RENAME TO integrations");
  });

  test("has all of it redriven, and all ends in D1", async () => {
    await worker.db.exec("ALTER TABLE records RENAME TO hidden_records");
    for (const n of [1, 2]) await post("int_dead", `lease_${n}`);
    const dead = async () => (await worker.state("propexo", "int_dead"))?.dead;
    await until("two events to be dead", async () => (await dead()) === 2, { ms: 40_000 });
    await worker.db.exec("ALTER TABLE hidden_records RENAME TO records");
    await worker.db
      .prepare(
        `CREATE TRIGGER poison BEFORE INSERT ON records WHEN new.record_id LIKE 'bad%'
         BEGIN SELECT RAISE(ABORT, 'poisoned'); END`,
      )
      .run();
    for (const n of [1, 2, 3]) await post("int_bad", n === 2 ? "bad_2" : `lease_${n}`);
    for (const n of [1, 2]) await post("int_worse", `bad_${n}`);
    const quarantined = async (integration) => (await worker.state("propexo", integration))?.quarantined;
    await until("one event to be quarantined", async () => (await quarantined("int_bad")) === 1, { ms: 40_000 });
    await until("two to be", async () => (await quarantined("int_worse")) === 2, { ms: 40_000 });
    assert.deepEqual(await records("int_bad"), ["lease_1", "lease_3"]);
    const isListed = async () =>
      (await listed("int_dead"))[0] === 2 && (await listed("int_bad"))[1] === 1 && (await listed("int_worse"))[1] === 2;
    await until("the list to have it", isListed, { ms: REPORT_MS_MAX, pause_ms: 500 });

    // While the cause is there, they come back into quarantine.
    const again = await redrive("propexo", "?limit=1");
    assert.equal(again.status, 202, again.text);
    const redriven = (count) => ({ packs: 0, events: 0, not_applied: count });
    const bad = { integration: "int_bad", redriven: redriven(1) };
    assert.deepEqual(again.json, { integrations: [bad], next: "int_bad" });
    await until(
      "it to be quarantined again",
      async () => {
        const state = await worker.state("propexo", "int_bad");
        return state.quarantined === 1 && state.pending + state.unconfirmed === 0;
      },
      { ms: 40_000 },
    );

    await worker.db.prepare("DROP TRIGGER poison").run();
    const { json: one } = await redrive("propexo", `?after=${again.json.next}&limit=1`);
    const {
      integration,
      redriven: { packs, ...events },
    } = one.integrations[0];
    assert.deepEqual([integration, events, one.next], ["int_dead", { events: 2, not_applied: 0 }, "int_dead"]);
    assert.ok(packs >= 1);
    const worse = { integration: "int_worse", redriven: redriven(2) };
    const rest = await redrive("propexo", `?after=${one.next}`);
    assert.deepEqual(rest.json, { integrations: [worse], next: null });
    const all = await redrive("propexo");
    assert.equal(all.json.next, null);
    assert.deepEqual(all.json.integrations[0], bad);
    await until(
      "all to be in D1",
      async () => {
        const found = await Promise.all(["int_bad", "int_dead", "int_worse"].map(records));
        return found.flat().length === 7;
      },
      { ms: 40_000 },
    );
    for (const integration of ["int_bad", "int_dead", "int_worse"]) {
      const state = await until("nothing to be left", async () => {
        const state = await worker.state("propexo", integration);
        return state.pending + state.unconfirmed === 0 && state;
      });
      assert.deepEqual([state.quarantined, state.dead, state.confirmed_seq], [0, 0, state.last_seq]);
    }
    const event = await worker.event("propexo", "int_bad", 2);
    assert.deepEqual([event.status, event.cloudevent.id], ["confirmed", "2-2"]);
    const line = worker.log
      .map((text) => JSON.parse(text))
      .find((one) => one.message.endsWith("/redrive") && one.ledgers === 1);
    assert.deepEqual([line.status, line.outcome, line.source, line.failed], [202, "asked", "propexo", 0]);
  });
});
