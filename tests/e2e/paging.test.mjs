// Lists that don't fit on a page: with `next`, every entry turns up once.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { diff } from "./support/bodies.mjs";
import { serve } from "./support/leasewire.mjs";
import { inParallel } from "./support/senders.mjs";

const EVENTS = 1_200;
const LIMIT_MAX = 500;

let worker;
// Ids whose order is that of their bytes, not of their numbers.
const recordId = (n) => `lease ${n}/${n % 7 ? "é" : "💶"}`;

before(async () => {
  worker = await serve();
  await inParallel(16, EVENTS, async (n, via) => {
    const answer = await worker.post("propexo", diff("int_1", recordId(n), {}, { n }), { via });
    assert.equal(answer.json.status, "accepted");
  });
  await worker.confirmed("propexo", "int_1", EVENTS, { ms: 30_000 });
});
after(() => worker?.stop());

/** All pages of a list, each as its entries. */
async function pages(ids, list, limit) {
  const found = [];
  for (let next = ""; next !== null; ) {
    const answer = await worker.get(...ids, next === "" ? { limit } : { limit, after: next });
    assert.equal(answer.status, 200, answer.text);
    found.push(answer.json[list]);
    next = answer.json.next;
    assert.notEqual(next, undefined);
    assert.ok(found.length <= EVENTS, "there is no end to it");
  }
  return found;
}

const sizes = (found) => found.map((page) => page.length);

test("events, 500 to a page", async () => {
  const found = await pages(["propexo", "int_1", "events"], "events", LIMIT_MAX);
  assert.deepEqual(sizes(found), [500, 500, 200]);
  const seqs = found.flat().map((event) => event.seq);
  assert.deepEqual(
    seqs,
    Array.from({ length: EVENTS }, (_item, n) => n + 1),
  );
});

test("events, where the last page is full", async () => {
  const found = await pages(["propexo", "int_1", "events"], "events", 400);
  assert.deepEqual(sizes(found), [400, 400, 400]);
});

test("records, 500 to a page, in the order of their ids", async () => {
  const found = await pages(["propexo", "int_1", "records", "leases"], "records", LIMIT_MAX);
  assert.deepEqual(sizes(found), [500, 500, 200]);
  const ids = found.flat().map((record) => record.record_id);
  const expected = Array.from({ length: EVENTS }, (_item, n) => recordId(n));
  assert.deepEqual(
    ids,
    expected.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
  );
  for (const { record_id: id, fields } of found.flat()) assert.equal(id, recordId(fields.n));
});

test("pages of one, and of the size there is by default", async () => {
  const one = (await worker.get("propexo", "int_1", "records", "leases", { limit: 1 })).json;
  assert.equal(one.records.length, 1);
  assert.equal(one.next, one.records[0].record_id);
  const usual = (await worker.get("propexo", "int_1", "events")).json;
  assert.deepEqual([usual.events.length, usual.next], [100, 100]);
});

test("behind the last there is nothing", async () => {
  for (const after of [EVENTS, EVENTS + 1, Number.MAX_SAFE_INTEGER]) {
    const { events, next } = (await worker.get("propexo", "int_1", "events", { after })).json;
    assert.deepEqual([events, next], [[], null]);
  }
  const records = (await worker.get("propexo", "int_1", "records", "leases", { after: "zzz" })).json;
  assert.deepEqual(records, { records: [], next: null });
});

test("integrations, over several sources and with ids that need encoding", async () => {
  const ids = Array.from({ length: 20 }, (_item, n) => `int/${n} 💶`);
  for (const source of ["propexo", "propify"]) {
    for (const id of ids) await worker.post(source, diff(id, "lease_1", {}, { a: 1 }));
  }
  await Promise.all(ids.map((id) => worker.confirmed("propify", id)));
  const found = await pages([], "integrations", 7);
  const names = found.flat().map(({ source, integration }) => `${source} ${integration}`);
  const expected = [...ids.map((id) => `propexo ${id}`), "propexo int_1", ...ids.map((id) => `propify ${id}`)];
  assert.deepEqual(
    names,
    expected.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
  );
  assert.ok(
    sizes(found)
      .slice(0, -1)
      .every((size) => size === 7),
  );
  const [big] = found.flat().filter(({ integration }) => integration === "int_1");
  assert.equal(big.last_seq, EVENTS);
});
