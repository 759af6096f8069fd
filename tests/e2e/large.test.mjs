// An event too large for a queue message travels by reference, and arrives whole.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { diff, property, unit } from "./support/bodies.mjs";
import { serve } from "./support/leasewire.mjs";

const LARGE_BYTES = 600_000;
/** What a queue takes in one message. */
const MESSAGE_BYTES_MAX = 128_000;

let worker;
before(async () => {
  worker = await serve();
});
after(() => worker?.stop());

/** Text of about `length` bytes, with some that take escapes or several bytes. */
const text = (length) => `é💶"\\\n${"0123456789abcdef".repeat(Math.ceil(length / 16)).slice(0, length)}`;

test("a whole object of 600 KB", async () => {
  const data = { id: "unit_1", note: text(LARGE_BYTES), rent: 1 };
  const body = unit("conn_1", data);
  assert.deepEqual((await worker.post("meterbase", body)).json, { status: "accepted", seq: 1 });
  await worker.confirmed("meterbase", "conn_1");
  const [row] = await worker.records("meterbase", "conn_1");
  assert.equal(row.fields, JSON.stringify(data));
  assert.deepEqual([row.version, row.partial, row.drift], [1, 0, 0]);
  const event = await worker.event("meterbase", "conn_1", 1);
  assert.equal(event.body, body);
  assert.deepEqual(event.cloudevent.data.record, data);
  const record = await worker.get("meterbase", "conn_1", "records", "units", "unit_1");
  assert.deepEqual(record.json.fields, data);
});

test("large and small ones in turn, of one record and of others, all in order", async () => {
  const sizes = [10, 150_000, 20, 300_000, 60_000, 70_000, 130_000, 5, 127_000, 126_000, 64_000, 1];
  for (const [n, size] of sizes.entries()) {
    const data = { id: n % 2 ? "prop_odd" : `prop_${n}`, note: text(size), n };
    const body = property(`evt_${n}`, data, new Date(Date.now() + n).toISOString());
    const answer = await worker.post("real-estate", body);
    assert.deepEqual(answer.json, { status: "accepted", seq: n + 1 });
  }
  const state = await worker.confirmed("real-estate", "default", sizes.length);
  assert.equal(state.dead, 0);
  const rows = await worker.records("real-estate", "default");
  const got = Object.fromEntries(rows.map((row) => [row.record_id, JSON.parse(row.fields)]));
  for (const [n, size] of sizes.entries()) {
    if (n % 2) continue;
    assert.deepEqual(got[`prop_${n}`], { id: `prop_${n}`, note: text(size), n });
  }
  assert.equal(got.prop_odd.n, sizes.length - 1);
});

test("a small change to a large record carries the large record", async () => {
  const note = text(200_000);
  await worker.post("propexo", diff("int_1", "lease_1", {}, { note }));
  await worker.post("propexo", diff("int_1", "lease_1", { status: null }, { status: "approved" }));
  await worker.confirmed("propexo", "int_1", 2);
  const [row] = await worker.records("propexo", "int_1");
  assert.equal(row.fields, JSON.stringify({ note, status: "approved" }));
  assert.equal(row.version, 2);
});

test("no pack was larger than a message may be", () => {
  const packs = worker.log.map((line) => JSON.parse(line)).filter((line) => line.message === "pack");
  assert.ok(packs.length > 0);
  for (const pack of packs) {
    assert.equal(pack.outcome, "applied");
    assert.ok(pack.bytes < MESSAGE_BYTES_MAX, `a pack of ${pack.bytes} bytes`);
  }
});

test("a list of large records comes in pages that fit", async () => {
  const ids = Array.from({ length: 8 }, (_, n) => `unit_${n}`);
  for (const id of ids) {
    const body = unit("conn_pages", { id, note: "x".repeat(900_000) });
    assert.equal((await worker.post("meterbase", body)).status, 200);
  }
  await worker.confirmed("meterbase", "conn_pages", ids.length, { ms: 60_000 });
  const seen = [];
  const counts = [];
  for (let after = ""; after !== null; ) {
    const page = await worker.get("meterbase", "conn_pages", "records", "unit", { limit: 500, after });
    assert.equal(page.status, 200, page.text.slice(0, 300));
    assert.ok(page.text.length < 5 * (1 << 20), `${page.text.length} bytes`);
    seen.push(...page.json.records.map((record) => record.record_id));
    counts.push(page.json.records.length);
    after = page.json.next;
  }
  assert.deepEqual(seen, ids);
  assert.deepEqual(counts, [4, 4]);
});
