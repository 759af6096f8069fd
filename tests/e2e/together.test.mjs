// The packs of one batch, which the consumer applies together where it can.

import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";

import { diff } from "./support/bodies.mjs";
import { request } from "./support/http.mjs";
import { RECORDS_QUEUE, serve } from "./support/leasewire.mjs";
import { inRoot } from "./support/paths.mjs";
import { withoutConsumer } from "./support/stubs.mjs";
import { until } from "./support/wait.mjs";

// Tells how many statements each batch of D1 had that the consumer asked for. What is counted for
// the metrics goes as one statement by itself.
const COUNTING = `
import worker from "./index.js";
export { Connector, Ledger } from "./index.js";
let batches = [];
const counting = (db) => ({
  prepare: (sql) => db.prepare(sql),
  batch(statements) {
    if (statements.length > 1) batches.push(statements.length);
    return db.batch(statements);
  },
});
export default {
  fetch(request, env, ctx) {
    return request.url.endsWith("/batches") ? Response.json(batches) : worker.fetch(request, env, ctx);
  },
  queue: (batch, env, ctx) => worker.queue(batch, { ...env, DB: counting(env.DB) }, ctx),
};
`;
/** The statements of a pack of one record: the integration's row, and the record's. */
const EACH = 2;

let worker;
beforeEach(async () => {
  worker = await serve({
    adjust(options) {
      withoutConsumer.adjust(options);
      options.modules.unshift({ type: "ESModule", path: inRoot("build", "counting.js"), contents: COUNTING });
    },
  });
});
afterEach(() => worker?.stop());

/** The event of a new record, of which no consumer has heard. */
async function event(integration) {
  const answer = await worker.post("propexo", diff(integration, "lease_1", {}, { of: integration }));
  assert.deepEqual(answer.json, { status: "accepted", seq: 1 });
  await until("the ledger to be known", () => worker.state("propexo", integration));
  return (await worker.event("propexo", integration, 1)).cloudevent;
}

/** Has the consumer take these bodies as one batch; gives the ids that it acknowledged and wants again. */
async function consume(...bodies) {
  const consumer = await worker.mf.getWorker("leasewire");
  const messages = bodies.map((body, n) => ({ id: `m${n + 1}`, timestamp: new Date(), attempts: 1, body }));
  const { outcome, explicitAcks, retryMessages } = await consumer.queue(RECORDS_QUEUE, messages);
  assert.equal(outcome, "ok");
  return { done: explicitAcks.sort(), again: retryMessages.map(({ msgId }) => msgId).sort() };
}

const batches = async () => (await request(`${worker.url}/batches`)).json;
const fields = async (integration) => (await worker.records("propexo", integration)).map((row) => row.fields);
const confirmed = async (integration) => (await worker.state("propexo", integration)).confirmed_seq;

test("they go to D1 at once, and each is confirmed", async () => {
  const integrations = ["int_1", "int_2", "int_3"];
  const events = [];
  for (const integration of integrations) events.push(await event(integration));
  const { done, again } = await consume(...events.map((event) => JSON.stringify([event])));
  assert.deepEqual([done, again], [["m1", "m2", "m3"], []]);
  assert.deepEqual(await batches(), [3 * EACH]);
  for (const integration of integrations) {
    assert.deepEqual(await fields(integration), [JSON.stringify({ of: integration })]);
    assert.equal(await confirmed(integration), 1);
  }
  const lines = worker.log.map((line) => JSON.parse(line)).filter((line) => line.message === "pack");
  assert.deepEqual(
    lines.map((line) => [line.integration, line.seq, line.outcome, line.bytes > 100]).sort(),
    integrations.map((integration) => [integration, 1, "applied", true]),
  );
});

test("one that D1 refuses hurts only itself", async () => {
  const events = [await event("int_1"), await event("int_2"), await event("int_3")];
  await worker.db
    .prepare(
      `CREATE TRIGGER poison BEFORE INSERT ON records WHEN new.integration = 'int_2' AND new.record_id != ''
       BEGIN SELECT RAISE(ABORT, 'poisoned'); END`,
    )
    .run();
  const { done, again } = await consume(...events.map((event) => JSON.stringify([event])));
  assert.deepEqual([done, again], [["m1", "m2", "m3"], []]);
  const [together, ...alone] = await batches();
  assert.equal(together, 3 * EACH);
  assert.equal(alone.filter((statements) => statements === EACH).length, 3);
  assert.deepEqual([await confirmed("int_1"), await confirmed("int_2"), await confirmed("int_3")], [1, 1, 1]);
  const found = [];
  for (const integration of ["int_1", "int_2", "int_3"]) {
    found.push((await worker.state("propexo", integration)).quarantined);
  }
  assert.deepEqual(found, [0, 1, 0], "what D1 can't take is its own fault alone");
  assert.deepEqual([await fields("int_1"), await fields("int_2")], [['{"of":"int_1"}'], []]);
});

test("those that can't be read, or travel without their data, don't hold up the others", async () => {
  const [one, two, large] = [await event("int_1"), await event("int_2"), await event("int_3")];
  const { changes, record, ...data } = large.data;
  assert.ok(changes && record);
  const byReference = { ...large, dataref: "/v1/integrations/propexo/int_3/events/1", data };
  const bodies = [[one], [{ ...one, time: "no time" }], [byReference], [two]].map((pack) => JSON.stringify(pack));
  const { done, again } = await consume("no pack", ...bodies);
  assert.deepEqual([done, again], [["m1", "m2", "m4", "m5"], ["m3"]]);
  assert.equal((await batches())[0], 2 * EACH);
  for (const integration of ["int_1", "int_2", "int_3"]) {
    assert.deepEqual(await fields(integration), [JSON.stringify({ of: integration })]);
    assert.equal(await confirmed(integration), 1);
  }
});

test("one pack alone goes to D1 once, and nothing if there is none", async () => {
  const one = await event("int_1");
  assert.deepEqual(await consume(JSON.stringify([one]), "no pack"), { done: ["m1", "m2"], again: [] });
  assert.deepEqual(await batches(), [EACH]);
  assert.deepEqual(await consume("no pack", "nor this"), { done: ["m1", "m2"], again: [] });
  assert.deepEqual(await batches(), [EACH]);
});
