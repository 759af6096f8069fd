// Packs among others: what can't be read or applied hurts none of its neighbours.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { diff, property } from "./support/bodies.mjs";
import { newFolder, removeFolder } from "./support/folders.mjs";
import { DEAD_QUEUE, RECORDS_QUEUE, serve } from "./support/leasewire.mjs";
import { until } from "./support/wait.mjs";

const logged = (worker, message) =>
  worker.log.map((line) => JSON.parse(line)).filter((line) => line.message === message);

describe("messages that are no packs", () => {
  const event = (changes) => ({
    specversion: "1.0",
    id: "1",
    source: "/propexo/int_1",
    type: "leasewire.record.updated",
    time: "2026-03-25T15:00:00Z",
    data: {},
    ...changes,
  });
  const NOT_PACKS = [
    { body: "not JSON", contentType: "text" },
    { body: "", contentType: "text" },
    { body: "[]", contentType: "text" },
    { body: "{}", contentType: "text" },
    { body: "null", contentType: "text" },
    { body: JSON.stringify([{}]), contentType: "text" },
    { body: JSON.stringify([event({ id: "first" })]), contentType: "text" },
    { body: JSON.stringify([event({ source: "nowhere" })]), contentType: "text" },
    { body: "[".repeat(50_000), contentType: "text" },
    { body: [event({})], contentType: "json" },
    { body: null, contentType: "json" },
    { body: new Uint8Array([255, 0, 254]), contentType: "bytes" },
    { body: new Map([["a", 1]]), contentType: "v8" },
  ];

  let worker;
  before(async () => {
    // One batch takes all that comes within the wait, good and bad.
    worker = await serve({ queues: { [RECORDS_QUEUE]: { maxBatchSize: 100, maxBatchTimeout: 2 } } });
  });
  after(() => worker?.stop());

  test("the packs between them arrive", async () => {
    const queue = await worker.mf.getQueueProducer("RECORDS", "leasewire");
    const integrations = NOT_PACKS.map((_message, n) => `int_${n + 1}`);
    for (const [n, message] of NOT_PACKS.entries()) {
      const answer = await worker.post("propexo", diff(integrations[n], "lease_1", {}, { n }));
      assert.deepEqual(answer.json, { status: "accepted", seq: 1 });
      await queue.send(message.body, { contentType: message.contentType });
    }
    await Promise.all(integrations.map((integration) => worker.confirmed("propexo", integration)));
    for (const [n, integration] of integrations.entries()) {
      const [row] = await worker.records("propexo", integration);
      assert.equal(row.fields, JSON.stringify({ n }));
    }
    const unreadable = logged(worker, "pack").filter((line) => line.outcome === "unreadable");
    assert.equal(unreadable.length, NOT_PACKS.length, "each is read once, and said to be unreadable");
    for (const line of unreadable) {
      assert.equal(line.level, "error");
      assert.ok(line.reason);
    }
  });

  test("the same pack again, and late, changes nothing", async () => {
    const queue = await worker.mf.getQueueProducer("RECORDS", "leasewire");
    const body = (n) => property(`evt_${n}`, { id: "prop_1", n }, new Date(Date.now() + n).toISOString());
    for (let n = 1; n <= 3; n += 1) await worker.post("real-estate", body(n));
    await worker.confirmed("real-estate", "default", 3);
    const before = await worker.records("real-estate", "default");
    assert.equal(before[0].version, 3);
    for (const seq of [3, 1, 2, 1]) {
      const { cloudevent } = await worker.event("real-estate", "default", seq);
      await queue.send(JSON.stringify([cloudevent]), { contentType: "text" });
    }
    const applied = () => logged(worker, "pack").filter((line) => line.source === "real-estate").length;
    const packs = applied();
    await until("the packs to be applied", () => applied() >= packs + 4);
    assert.deepEqual(await worker.records("real-estate", "default"), before);
    const state = await worker.state("real-estate", "default");
    assert.deepEqual([state.confirmed_seq, state.unconfirmed, state.dead], [3, 0, 0]);
  });
});

describe("packs that can't be applied", () => {
  const folder = newFolder();
  let worker;
  const start = () =>
    serve({
      folder,
      queues: {
        [RECORDS_QUEUE]: { maxRetries: 1, retryDelay: 1, maxBatchTimeout: 0 },
        [DEAD_QUEUE]: { maxBatchTimeout: 0, retryDelay: 1 },
      },
    });
  before(async () => {
    worker = await start();
  });
  after(async () => {
    await worker?.stop();
    removeFolder(folder);
  });
  const post = async (integration, n) => {
    const answer = await worker.post("propexo", diff(integration, `lease_${n % 2}`, {}, { [`n${n}`]: n }));
    assert.equal(answer.json.status, "accepted");
    return answer.json.seq;
  };
  const fields = async (integration) =>
    (await worker.records("propexo", integration)).map((row) => [row.record_id, row.version, row.fields]);

  test("end as dead, visibly, while all others go on", async () => {
    await post("int_well", 1);
    await worker.confirmed("propexo", "int_well");
    await worker.db.exec("ALTER TABLE records RENAME TO hidden");
    assert.equal(await post("int_ill", 1), 1);
    assert.equal(await post("int_ill", 2), 2);
    const state = await until(
      "both events to be dead",
      async () => {
        const state = await worker.state("propexo", "int_ill");
        return state?.dead === 2 && state;
      },
      { ms: 20_000 },
    );
    assert.deepEqual([state.last_seq, state.pending, state.unconfirmed], [2, 0, 0]);
    const events = await worker.events("propexo", "int_ill");
    assert.deepEqual(
      events.map((event) => event.status),
      ["dead", "dead"],
    );
    const [line] = logged(worker, "dead pack");
    assert.deepEqual([line.level, line.outcome, line.integration], ["error", "dead", "int_ill"]);

    await worker.db.exec("ALTER TABLE hidden RENAME TO records");
    await post("int_well", 2);
    await worker.confirmed("propexo", "int_well", 2);
    await post("int_new", 1);
    await worker.confirmed("propexo", "int_new", 1);
    assert.deepEqual(await fields("int_ill"), []);
  });

  test("don't hold up what comes after them, which makes their records whole", async () => {
    assert.equal(await post("int_ill", 3), 3);
    const state = await worker.confirmed("propexo", "int_ill", 3);
    assert.equal(state.dead, 2, "what is dead stays visible");
    assert.deepEqual(await fields("int_ill"), [["lease_1", 3, '{"n1":1,"n3":3}']]);
    const events = await worker.events("propexo", "int_ill");
    assert.deepEqual(
      events.map((event) => event.status),
      ["dead", "dead", "confirmed"],
    );
  });

  test("are still dead after a restart", async () => {
    await worker.stop();
    worker = await start();
    const state = await worker.confirmed("propexo", "int_ill", 3);
    assert.equal(state.dead, 2);
    const events = await worker.events("propexo", "int_ill");
    assert.deepEqual(
      events.map((event) => event.status),
      ["dead", "dead", "confirmed"],
    );
    assert.equal(await post("int_ill", 5), 4);
    await worker.confirmed("propexo", "int_ill", 4);
  });
});
