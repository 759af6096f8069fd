// The same deliveries in any order, with repetitions, end in the same records where events carry
// their time; where they don't, contradictions are marked.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { diff, property, unit } from "./support/bodies.mjs";
import { serve } from "./support/leasewire.mjs";

const SEED = 20_261_117;
const PERMUTATIONS = 8;

/** Gives the same sequence of numbers from 0 to 1 in every run. */
function numbers(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

const random = numbers(SEED);

function shuffled(list) {
  const items = [...list];
  for (let last = items.length - 1; last > 0; last -= 1) {
    const other = Math.floor(random() * (last + 1));
    [items[last], items[other]] = [items[other], items[last]];
  }
  return items;
}

// Oldest first, one second apart.
const STATES = [
  { status: "vacant", rent: 1000, note: "first" },
  { status: "leased", rent: 1100 },
  { status: "leased", rent: 1150, pets: null },
  { status: "vacant", rent: 1100 },
  { status: "listed", rent: 1200, note: "one of two" },
  { status: "listed", rent: 1250, note: "two of two" },
];
const START_MS = Date.now() - 3_600_000;
const time = (n) => START_MS + 1000 * n;
const stated = (n) => new Date(time(n)).toISOString();

// Each order has a source of its own, so that all send the very same bytes.
const WHOLE = {
  meterbase: {
    integration: "conn_1",
    body: (n) => unit("conn_1", { id: "thing_1", ...STATES[n] }, stated(n)),
  },
  "real-estate": {
    integration: "default",
    body: (n) => property(`evt_${n}`, { id: "thing_1", ...STATES[n] }, stated(n)),
  },
};
const sourceOf = (dialect, order) => `${dialect}-${order}`;

/** As they happened, backwards, and some with every delivery twice. */
function orders() {
  const forwards = STATES.map((_state, n) => n);
  const others = Array.from({ length: PERMUTATIONS - 2 }, () => shuffled([...forwards, ...forwards]));
  return [forwards, forwards.toReversed(), ...others];
}

let worker;
before(async () => {
  const SOURCES = {
    propexo: { dialect: "propexo", secret: "PROPEXO_SECRET" },
    propify: { dialect: "propify", secret: "PROPIFY_SECRET" },
  };
  for (let order = 0; order < PERMUTATIONS; order += 1) {
    SOURCES[sourceOf("meterbase", order)] = { dialect: "meterbase", secret: "METERBASE_SECRET" };
    SOURCES[sourceOf("real-estate", order)] = { dialect: "real-estate", secret: "REAL_ESTATE_SECRET" };
  }
  worker = await serve({ bindings: { SOURCES } });
});
after(() => worker?.stop());

/** Sends the deliveries in this order; gives the number of each. */
async function play(dialect, source, sequence) {
  const seqs = new Map();
  for (const n of sequence) {
    const answer = await worker.post(source, WHOLE[dialect].body(n), { dialect });
    const expected = seqs.has(n)
      ? { status: "duplicate", seq: seqs.get(n) }
      : { status: "accepted", seq: seqs.size + 1 };
    assert.deepEqual(answer.json, expected, `delivery ${n} of ${sequence.join(" ")}`);
    seqs.set(n, answer.json.seq);
  }
  return seqs;
}

/** Numbers of the events that came after a newer one, and of those of which only the key decides. */
function lateOnes(seqs) {
  const [late, undecided] = [new Set(), new Set()];
  let newest;
  for (const n of seqs.keys()) {
    if (newest !== undefined && time(n) < time(newest)) late.add(seqs.get(n));
    else if (newest !== undefined && time(n) === time(newest)) undecided.add(seqs.get(n));
    else newest = n;
  }
  return { late, undecided };
}

for (const dialect of Object.keys(WHOLE)) {
  test(`${dialect}: ${PERMUTATIONS} orders end in the same fields (seed ${SEED})`, async () => {
    const { integration } = WHOLE[dialect];
    const ends = orders().map(async (sequence, order) => {
      const source = sourceOf(dialect, order);
      const told = `order ${sequence.join(" ")}`;
      const seqs = await play(dialect, source, sequence);
      await worker.confirmed(source, integration, STATES.length);
      const { late, undecided } = lateOnes(seqs);
      for (const seq of seqs.values()) {
        if (undecided.has(seq)) continue;
        const { data } = (await worker.event(source, integration, seq)).cloudevent;
        assert.equal(data.late, late.has(seq), `event ${seq} of ${told}`);
      }
      const [row, ...others] = await worker.records(source, integration);
      assert.deepEqual(others, []);
      const { id, ...fields } = JSON.parse(row.fields);
      const winner = STATES.findIndex((state) => JSON.stringify(state) === JSON.stringify(fields));
      assert.ok(winner >= STATES.length - 2, `${told} ended in ${row.fields}`);
      assert.equal(row.version, seqs.get(winner), "the version is the number of the event that won");
      assert.equal(Date.parse(row.occurred_at), time(winner));
      assert.equal(row.partial, 0);
      return row.fields;
    });
    const fields = await Promise.all(ends);
    assert.deepEqual(new Set(fields).size, 1, `ends of all orders: ${fields.join("\n")}`);
  });
}

for (const source of ["propexo", "propify"]) {
  const [pending, approved] = [{ status: "pending" }, { status: "approved" }];
  const accepted = async (body, seq) =>
    assert.deepEqual((await worker.post(source, body)).json, { status: "accepted", seq });

  test(`${source}: a change, its opposite, and the change again are three events`, async () => {
    const there = diff("int_back", "lease_1", pending, approved);
    const back = diff("int_back", "lease_1", approved, pending);
    await accepted(there, 1);
    assert.deepEqual((await worker.post(source, there)).json, { status: "duplicate", seq: 1 });
    await accepted(back, 2);
    await accepted(there, 3);
    assert.deepEqual((await worker.post(source, there)).json, { status: "duplicate", seq: 3 });
    await worker.confirmed(source, "int_back", 3);
    const ambiguous = [];
    for (const seq of [1, 2, 3]) {
      const { data } = (await worker.event(source, "int_back", seq)).cloudevent;
      assert.equal(data.drift, false);
      ambiguous.push(data.ambiguous);
    }
    assert.deepEqual(ambiguous, [false, false, true]);
    const [row] = await worker.records(source, "int_back");
    assert.deepEqual([row.fields, row.version, row.drift], ['{"status":"approved"}', 3, 0]);
  });

  test(`${source}: a repetition that fits nothing known stays a duplicate`, async () => {
    const first = diff("int_stale", "lease_1", pending, approved);
    const second = diff("int_stale", "lease_1", approved, { status: "ended" });
    await accepted(first, 1);
    await accepted(second, 2);
    assert.deepEqual((await worker.post(source, first)).json, { status: "duplicate", seq: 1 });
    await worker.confirmed(source, "int_stale", 2);
    const [row] = await worker.records(source, "int_stale");
    assert.equal(row.fields, '{"status":"ended"}');
  });

  test(`${source}: a contradiction is applied, and no drift once a change agrees`, async () => {
    await accepted(diff("int_drift", "lease_1", { rent: 1000 }, { rent: 1100 }), 1);
    await accepted(diff("int_drift", "lease_1", { rent: 1150 }, { rent: 1200 }), 2);
    await accepted(diff("int_drift", "lease_1", { rent: 1200 }, { rent: 1250 }), 3);
    await accepted(diff("int_drift", "lease_2", { rent: 1 }, { rent: 2 }), 4);
    await worker.confirmed(source, "int_drift", 4);
    const rows = await worker.records(source, "int_drift");
    const seen = rows.map((row) => [row.record_id, row.fields, row.version, row.drift, row.partial]);
    assert.deepEqual(seen, [
      ["lease_1", '{"rent":1250}', 3, 0, 1],
      ["lease_2", '{"rent":2}', 4, 0, 1],
    ]);
    const drifts = [];
    for (const seq of [1, 2, 3, 4]) {
      drifts.push((await worker.event(source, "int_drift", seq)).cloudevent.data.drift);
    }
    assert.deepEqual(drifts, [false, true, false, false]);
  });

  test(`${source}: fields add up over partial changes`, async () => {
    await accepted(diff("int_sum", "lease_1", {}, { a: 1, b: 1.0 }), 1);
    await accepted(diff("int_sum", "lease_1", { a: 1 }, { a: 2 }), 2);
    await accepted(diff("int_sum", "lease_1", { b: 1 }, { c: [] }), 3);
    await worker.confirmed(source, "int_sum", 3);
    const [row] = await worker.records(source, "int_sum");
    assert.deepEqual(JSON.parse(row.fields), { a: 2, b: null, c: [] });
    assert.deepEqual([row.version, row.drift, row.partial], [3, 0, 1]);
  });
}
