// Old history goes, on the real storage: a module around the Worker's own turns the clock on and lets
// the alarm go off when it is told to.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { diff } from "./support/bodies.mjs";
import { serve } from "./support/leasewire.mjs";
import { inRoot } from "./support/paths.mjs";

const AHEAD_OF_TIME = `
import worker, { Ledger as Real } from "./index.js";

const now = Date.now;
let cursors = [];

export class Ledger extends Real {
  constructor(ctx, env) {
    const { storage } = ctx;
    const sql = {
      exec(...args) { const cursor = storage.sql.exec(...args); cursors.push(cursor); return cursor; },
      get databaseSize() { return storage.sql.databaseSize; },
    };
    const counted = {
      sql,
      transactionSync: (work) => storage.transactionSync(work),
      getAlarm: () => storage.getAlarm(),
      setAlarm: (at) => storage.setAlarm(at),
    };
    super(Object.defineProperty(ctx, "storage", { value: counted }), env);
  }

  async wake() {
    cursors = [];
    await this.alarm();
    return cursors.reduce((sum, cursor) => sum + cursor.rowsWritten, 0);
  }
}

export default {
  async fetch(request, env, ctx) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname !== "/wake") return worker.fetch(request, env, ctx);
    const ahead_ms = Number(searchParams.get("days")) * 86_400_000;
    Date.now = () => now() + ahead_ms;
    const id = env.LEDGER.idFromName(searchParams.get("ledger"));
    return Response.json(await env.LEDGER.get(id).wake());
  },
  queue: worker.queue,
};
`;

let worker;
before(async () => {
  worker = await serve({
    adjust(options) {
      options.modules.unshift({ type: "ESModule", path: inRoot("build", "ahead.js"), contents: AHEAD_OF_TIME });
    },
  });
});
after(() => worker?.stop());

/** The alarm goes off so many days from now; gives the rows that it writes. */
const wake = async (days) => {
  const query = new URLSearchParams({ days, ledger: "propexo/int_1" });
  return (await fetch(`${worker.url}/wake?${query}`)).json();
};
const numbers = async () => (await worker.events("propexo", "int_1")).map((event) => event.seq);
const lease = (record, from, to) => diff("int_1", record, from, to);

test("history goes when it is old, and what isn't understood stays", async (t) => {
  const send = async (body) => (await worker.post("propexo", body)).json;
  const EVENTS = 300;
  await send(lease("lease_1", {}, { a: 1 }));
  await Promise.all(Array.from({ length: EVENTS }, (_, n) => send(lease(`lease_${n + 2}`, {}, { n }))));
  const junk = await send(JSON.stringify({ integration_id: "int_1" }));
  const last = EVENTS + 2;
  assert.deepEqual(junk, { status: "quarantined", seq: last });
  const state = await worker.confirmed("propexo", "int_1", last);

  await wake(29);
  assert.equal((await numbers()).length, last, "a month is not over");
  const written = await wake(60);
  t.diagnostic(`${written} rows written to drop ${last} events`);
  // The segment's row, the ledger's, and the one that stays, with its two indexes.
  assert.ok(written <= 6, `${written} rows`);
  assert.deepEqual(await numbers(), [last]);
  assert.equal((await worker.get("propexo", "int_1", "events", "1")).status, 404);
  assert.equal((await worker.event("propexo", "int_1", last)).body, JSON.stringify({ integration_id: "int_1" }));
  const { bytes, ...rest } = await worker.state("propexo", "int_1");
  assert.deepEqual({ ...rest, bytes: state.bytes }, state);
  assert.ok(bytes < state.bytes, `${bytes} of ${state.bytes} bytes are left`);

  // Records are what they were, and numbers go on, also after a new start.
  assert.deepEqual(await send(lease("lease_1", { a: 1 }, { a: 1, b: 2 })), { status: "accepted", seq: last + 1 });
  await worker.confirmed("propexo", "int_1", last + 1);
  const [record] = await worker.rows("SELECT fields, version FROM records WHERE record_id = ?", "lease_1");
  assert.deepEqual({ ...record, fields: JSON.parse(record.fields) }, { fields: { a: 1, b: 2 }, version: last + 1 });
});
