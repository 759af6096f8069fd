// An event that makes its pack fail is found, quarantined by itself, and the rest goes through.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { diff } from "./support/bodies.mjs";
import { newFolder, removeFolder } from "./support/folders.mjs";
import { DEAD_QUEUE, RECORDS_QUEUE, serve } from "./support/leasewire.mjs";
import { withQueueThat } from "./support/stubs.mjs";
import { until } from "./support/wait.mjs";

const EVENTS = 20;
const BAD = 13;
// The retries of wrangler.toml, without its pauses.
const QUEUES = {
  [RECORDS_QUEUE]: { retryDelay: 1, maxBatchTimeout: 0 },
  [DEAD_QUEUE]: { retryDelay: 1, maxBatchTimeout: 0 },
};
const PATIENCE = { ms: 40_000 };
/** What a pack is tried before an event is held responsible for an error that tells nothing: 75 s of pauses. */
const LONG_PATIENCE = { ms: 150_000 };

const logged = (worker, message) =>
  worker.log.map((line) => JSON.parse(line)).filter((line) => line.message === message);
const list = async (worker, name, integration, query = {}) => {
  const answer = await worker.get("propexo", integration, name, query);
  assert.equal(answer.status, 200, answer.text);
  return answer.json;
};
const ids = (rows) => rows.map((row) => row.record_id).sort();
const quarantined = (worker, integration, patience = PATIENCE) =>
  until(
    "an event to be quarantined",
    async () => {
      const state = await worker.state("propexo", integration);
      return state?.quarantined === 1 && state.confirmed_seq === state.last_seq && state;
    },
    patience,
  );

describe("a record that D1 refuses", () => {
  const folder = newFolder();
  let worker;
  const start = () => serve({ folder, queues: QUEUES });
  const bodies = Array.from({ length: EVENTS }, (_item, n) =>
    diff("int_1", `lease_${n + 1}`, {}, { diary: `s${n + 1}` }),
  );
  before(async () => {
    worker = await start();
    await worker.db
      .prepare(
        `CREATE TRIGGER poison BEFORE INSERT ON records WHEN new.record_id = 'lease_${BAD}'
         BEGIN SELECT RAISE(ABORT, 'poisoned'); END`,
      )
      .run();
  });
  after(async () => {
    await worker?.stop();
    removeFolder(folder);
  });

  test("is quarantined by itself, and the others arrive", async () => {
    for (const body of bodies) assert.equal((await worker.post("propexo", body)).json.status, "accepted");
    const state = await quarantined(worker, "int_1");
    assert.deepEqual([state.last_seq, state.pending, state.unconfirmed, state.dead], [EVENTS, 0, 0, 0]);
    const others = bodies.map((_body, n) => `lease_${n + 1}`).filter((id) => id !== `lease_${BAD}`);
    assert.deepEqual(ids(await worker.records("propexo", "int_1")), others.sort());
    const { events, next } = await list(worker, "quarantine", "int_1");
    assert.equal(next, null);
    assert.equal(events.length, 1);
    const [{ received_at: receivedAt, ...entry }] = events;
    assert.ok(Date.parse(receivedAt));
    assert.deepEqual(entry, {
      seq: BAD,
      status: "quarantined",
      event: null,
      kind: "record.updated",
      model: "leases",
      record_id: `lease_${BAD}`,
      occurred_at: null,
      bytes: bodies[BAD - 1].length,
      reason: "not_applied",
    });
    assert.equal((await worker.event("propexo", "int_1", BAD)).body, bodies[BAD - 1]);
    const statuses = (await worker.events("propexo", "int_1")).map((event) => event.status);
    assert.deepEqual(
      statuses,
      bodies.map((_body, n) => (n + 1 === BAD ? "quarantined" : "confirmed")),
    );
    assert.deepEqual(await list(worker, "dead", "int_1"), { packs: [], next: null });
  });

  test("is in the log, with the reason and without its body", () => {
    const lines = logged(worker, "event can't be applied");
    assert.equal(lines.length, 1);
    const [{ level, source, integration, seq, outcome, reason }] = lines;
    assert.deepEqual([level, source, integration, seq, outcome], ["error", "propexo", "int_1", BAD, "quarantined"]);
    assert.match(reason, /poisoned/);
    for (const line of worker.log) assert.doesNotMatch(line, /diary/);
  });

  test("is still quarantined after a restart, and a repetition is a duplicate", async () => {
    await worker.stop();
    worker = await start();
    const { events } = await list(worker, "quarantine", "int_1");
    assert.deepEqual(
      events.map((event) => event.seq),
      [BAD],
    );
    const again = await worker.post("propexo", bodies[BAD - 1]);
    assert.deepEqual(again.json, { status: "duplicate", seq: BAD });
  });

  test("is whole with the next event, once D1 takes it", async () => {
    await worker.db.prepare("DROP TRIGGER poison").run();
    await worker.post("propexo", diff("int_1", `lease_${BAD}`, {}, { more: 1 }));
    await worker.confirmed("propexo", "int_1", EVENTS + 1);
    const rows = await worker.records("propexo", "int_1");
    const row = rows.find((row) => row.record_id === `lease_${BAD}`);
    assert.deepEqual([row.version, row.fields], [EVENTS + 1, `{"diary":"s${BAD}","more":1}`]);
    const { events } = await list(worker, "quarantine", "int_1");
    assert.deepEqual(
      events.map((event) => event.seq),
      [BAD],
      "what was quarantined stays visible",
    );
  });
});

describe("an event that can't be read", () => {
  let worker;
  before(async () => {
    // The ledger's own packs don't get through, only the one made here.
    worker = await serve({ ...withQueueThat("throws"), queues: QUEUES });
  });
  after(() => worker?.stop());

  test("is quarantined by itself, and the others arrive", async () => {
    for (const n of [1, 2, 3]) await worker.post("propexo", diff("int_1", `lease_${n}`, {}, { n }));
    await until("the integration to be known", () => worker.state("propexo", "int_1"));
    const pack = [];
    for (const seq of [1, 2, 3]) pack.push((await worker.event("propexo", "int_1", seq)).cloudevent);
    delete pack[1].data;
    const queue = await worker.mf.getQueueProducer("REAL", "queue-stub");
    await queue.send(JSON.stringify(pack), { contentType: "text" });
    const state = await quarantined(worker, "int_1", LONG_PATIENCE);
    assert.deepEqual([state.last_seq, state.dead], [3, 0]);
    assert.deepEqual(ids(await worker.records("propexo", "int_1")), ["lease_1", "lease_3"]);
    const { events } = await list(worker, "quarantine", "int_1");
    assert.deepEqual(
      events.map((event) => [event.seq, event.reason]),
      [[2, "not_applied"]],
    );
    // The same pack again changes nothing.
    const packs = logged(worker, "pack").length;
    await queue.send(JSON.stringify(pack), { contentType: "text" });
    const done = () =>
      logged(worker, "pack")
        .slice(packs)
        .some((line) => line.outcome === "applied");
    await until("the pack to be done with", done, LONG_PATIENCE);
    const after = await worker.state("propexo", "int_1");
    assert.deepEqual({ ...after, bytes: state.bytes }, state);
  });
});

describe("a D1 that does nothing", () => {
  let worker;
  before(async () => {
    worker = await serve({ queues: QUEUES });
  });
  after(() => worker?.stop());

  test("makes nobody guilty, and lets nothing die: the events arrive when it works again", async () => {
    await worker.post("propexo", diff("int_1", "lease_0", {}, { n: 0 }));
    await worker.confirmed("propexo", "int_1");
    const tables = ["records", "integrations"];
    for (const table of tables) await worker.db.exec(`ALTER TABLE ${table} RENAME TO hidden_${table}`);
    for (const n of [1, 2, 3]) await worker.post("propexo", diff("int_1", `lease_${n}`, {}, { n }));
    const tried = () => logged(worker, "pack").some((line) => line.outcome === "retry" && line.seq === 4);
    await until("the packs to be tried", tried, PATIENCE);
    for (const table of tables) await worker.db.exec(`ALTER TABLE hidden_${table} RENAME TO ${table}`);
    const state = await worker.confirmed("propexo", "int_1", 4, PATIENCE);
    assert.deepEqual([state.last_seq, state.dead, state.quarantined, state.unconfirmed], [4, 0, 0, 0]);
    assert.deepEqual(
      ids(await worker.records("propexo", "int_1")),
      [0, 1, 2, 3].map((n) => `lease_${n}`),
    );
    assert.deepEqual(logged(worker, "dead pack"), []);
  });
});
