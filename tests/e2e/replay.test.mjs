// What was ignored, not understood or not applied is brought in by a replay; dead packs by a redrive.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { diff } from "./support/bodies.mjs";
import { newFolder, removeFolder } from "./support/folders.mjs";
import { request } from "./support/http.mjs";
import { DEAD_QUEUE, RECORDS_QUEUE, serve } from "./support/leasewire.mjs";
import { headers, SECRETS } from "./support/sign.mjs";
import { until } from "./support/wait.mjs";

const PROPEXO = { dialect: "propexo", secret: "PROPEXO_SECRET" };
const sources = (propexo) => ({ bindings: { SOURCES: { propexo: { ...PROPEXO, ...propexo } } } });

/** Tells the integration to do something. */
function tell(worker, integration, what, body) {
  const url = `${worker.url}/v1/integrations/propexo/${integration}/${what}`;
  const authorization = `Bearer ${SECRETS.API_TOKEN}`;
  return request(url, { method: "POST", headers: { authorization }, body: body && JSON.stringify(body) });
}

const replay = (worker, integration, body) => worker.replay("propexo", integration, body);

const fieldsOf = async (worker, integration) => {
  const rows = await worker.records("propexo", integration);
  return Object.fromEntries(rows.map((row) => [row.record_id, JSON.parse(row.fields)]));
};
const statuses = async (worker, integration) =>
  (await worker.events("propexo", integration)).map((event) => event.reason ?? event.status);

describe("an event that isn't understood at first", () => {
  const folder = newFolder();
  let worker;
  before(async () => {
    worker = await serve({ folder, ...sources() });
  });
  after(async () => {
    await worker?.stop();
    removeFolder(folder);
  });

  // Propexo's documents have the model under `object` first; Propify's know `meta.object` alone.
  const odd = (record, previous, next) =>
    JSON.stringify({ ...JSON.parse(diff("int_1", record, previous, next)), object: "" });

  test("is a record after a replay by code that understands it", async () => {
    await worker.post("propexo", diff("int_1", "lease_1", {}, { a: 1 }));
    await worker.post("propexo", odd("lease_1", { a: 1 }, { a: 2, b: 1 }));
    await worker.post("propexo", odd("lease_2", {}, { c: 1 }));
    await worker.post("propexo", diff("int_1", "lease_1", { b: 1 }, { b: 3 }));
    await worker.confirmed("propexo", "int_1", 4);
    assert.deepEqual(await statuses(worker, "int_1"), ["confirmed", "no_model", "no_model", "confirmed"]);
    assert.deepEqual(await fieldsOf(worker, "int_1"), { lease_1: { a: 1, b: 3 } });

    await worker.stop();
    worker = await serve({ folder, ...sources({ dialect: "propify" }) });
    const state = await replay(worker, "int_1", { from: 1, to: 4 });
    assert.deepEqual([state.quarantined, state.replay.count], [0, 4]);
    assert.deepEqual(await statuses(worker, "int_1"), Array(4).fill("confirmed"));
    const after = { lease_1: { a: 2, b: 3 }, lease_2: { c: 1 } };
    assert.deepEqual(await fieldsOf(worker, "int_1"), after);
    const event = await worker.event("propexo", "int_1", 2);
    assert.equal(event.cloudevent.replay, true);
    assert.deepEqual(event.cloudevent.data.record, { a: 2, b: 1 });

    // Once more changes nothing.
    await replay(worker, "int_1", { from: 1, to: 4 });
    assert.deepEqual(await fieldsOf(worker, "int_1"), after);
  });

  test("is a duplicate when it comes again", async () => {
    const body = odd("lease_2", {}, { c: 1 });
    const signed = headers("propify", body, { secret: SECRETS.PROPEXO_SECRET });
    const answer = await request(`${worker.url}/webhooks/propexo`, { method: "POST", headers: signed, body });
    assert.deepEqual(answer.json, { status: "duplicate", seq: 3 });
  });
});

describe("a property that isn't linked at first", () => {
  const folder = newFolder();
  let worker;
  before(async () => {
    worker = await serve({ folder, ...sources({ properties: ["p1"] }) });
  });
  after(async () => {
    await worker?.stop();
    removeFolder(folder);
  });
  const unlinked = async () => {
    const answer = await worker.get("propexo", "int_1", "unlinked");
    assert.equal(answer.status, 200, answer.text);
    return answer.json.properties.map(({ property_id: id, first_seq: seq }) => [id, seq]);
  };

  test("comes in when it is linked and its events are replayed", async () => {
    await worker.post("propexo", diff("int_1", "lease_1", {}, { property_id: "p1" }));
    const ignored = await worker.post("propexo", diff("int_1", "lease_2", {}, { property_id: "p2" }));
    assert.deepEqual(ignored.json, { status: "ignored", seq: 2 });
    const state = await worker.confirmed("propexo", "int_1", 2);
    assert.deepEqual([state.pending, state.quarantined], [0, 0]);
    assert.deepEqual(await statuses(worker, "int_1"), ["confirmed", "property"]);
    assert.deepEqual(await unlinked(), [["p2", 2]]);
    assert.deepEqual(Object.keys(await fieldsOf(worker, "int_1")), ["lease_1"]);

    await worker.stop();
    worker = await serve({ folder, ...sources({ properties: ["p1", "p2"] }) });
    assert.deepEqual(await unlinked(), []);
    await replay(worker, "int_1", { from: 2, to: 2 });
    await until("D1 to have it", async () => "lease_2" in (await fieldsOf(worker, "int_1")));
    assert.deepEqual(await statuses(worker, "int_1"), ["confirmed", "confirmed"]);
  });
});

describe("a D1 that does nothing for a while", () => {
  let worker;
  const queues = {
    [RECORDS_QUEUE]: { retryDelay: 1, maxBatchTimeout: 0, maxRetries: 1 },
    [DEAD_QUEUE]: { retryDelay: 1, maxBatchTimeout: 0 },
  };
  before(async () => {
    worker = await serve({ queues });
  });
  after(() => worker?.stop());

  test("leaves dead packs, which a redrive sends again", async () => {
    await worker.post("propexo", diff("int_1", "lease_0", {}, { n: 0 }));
    await worker.confirmed("propexo", "int_1");
    await worker.db.exec("ALTER TABLE records RENAME TO hidden_records");
    for (const n of [1, 2, 3]) await worker.post("propexo", diff("int_1", `lease_${n}`, {}, { n }));
    const dead = async (count) => {
      const state = await worker.state("propexo", "int_1");
      return state.dead === count && state;
    };
    await until("the packs to die", () => dead(3), { ms: 40_000 });
    await worker.db.exec("ALTER TABLE hidden_records RENAME TO records");

    const one = await tell(worker, "int_1", "redrive", { from: 4, to: 4 });
    assert.equal(one.status, 202, one.text);
    assert.ok(one.json.events >= 1);
    await until("it to arrive", async () => "lease_3" in (await fieldsOf(worker, "int_1")));
    const all = await tell(worker, "int_1", "redrive");
    assert.equal(all.status, 202, all.text);
    await until("all to arrive", async () => Object.keys(await fieldsOf(worker, "int_1")).length === 4);
    const state = await until("none to be dead", () => dead(0));
    assert.equal((await worker.confirmed("propexo", "int_1", 4)).unconfirmed, 0);
    assert.equal(state.quarantined, 0);
    assert.deepEqual(await statuses(worker, "int_1"), Array(4).fill("confirmed"));
    assert.deepEqual((await tell(worker, "int_1", "redrive")).json, { packs: 0, events: 0, not_applied: 0 });
  });

  test("commands that are refused", async () => {
    const refusal = async (what, body, integration = "int_1") => {
      const answer = await tell(worker, integration, what, body);
      assert.equal(answer.headers["content-type"], "application/problem+json");
      return [answer.status, answer.json.detail];
    };
    assert.deepEqual(await refusal("replay", { from: 1, to: 5 }), [
      400,
      "`to` must be the number of an event that there is.",
    ]);
    assert.deepEqual(await refusal("replay", { from: 3, to: 2 }), [400, "`to` must be a whole number from `from` on."]);
    assert.deepEqual(await refusal("replay"), [400, "The body must be a JSON object."]);
    assert.deepEqual(await refusal("replay", { from: 1, to: 2 }, "nobody"), [404, "There is no such integration."]);
    assert.deepEqual(await refusal("redrive", undefined, "nobody"), [404, "There is no such integration."]);
    const get = await worker.get("propexo", "int_1", "replay");
    assert.deepEqual([get.status, get.headers.allow], [405, "POST"]);
    const strange = await request(`${worker.url}/v1/integrations/propexo/int_1/replay`, { method: "POST", body: "{}" });
    assert.equal(strange.status, 401);
  });
});
