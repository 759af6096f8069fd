// Authentic, whatever is in it: kept, answered with 200, and readable as it came.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { diff, property, unit } from "./support/bodies.mjs";
import { serve } from "./support/leasewire.mjs";

const BODY_BYTES_MAX = 1 << 20;

// Packs wait a second in the queue, so the tests wait together.
const AT_ONCE = { concurrency: 16 };

const SOURCES = ["propexo", "propify", "meterbase", "real-estate"];

let worker;
/** A source of its own for each test, so that each starts with an empty ledger. */
let unused = 0;
const OWN_SOURCES = 250;

before(async () => {
  const sources = {};
  for (const dialect of SOURCES) {
    const secret = `${dialect.toUpperCase().replace("-", "_")}_SECRET`;
    for (let n = 0; n < OWN_SOURCES; n += 1) sources[`${dialect}-${n}`] = { dialect, secret };
  }
  worker = await serve({ bindings: { SOURCES: sources } });
});
after(() => worker?.stop());

/** Posts to a source of `dialect` that nothing was sent to before. */
async function post(dialect, body, options) {
  const source = `${dialect}-${unused++}`;
  return { source, answer: await worker.post(source, body, { dialect, ...options }) };
}

async function quarantined(dialect, body, reason, integration = "default", options = {}) {
  const { source, answer } = await post(dialect, body, options);
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.text, '{"status":"quarantined","seq":1}');
  const state = await worker.confirmed(source, integration);
  assert.deepEqual([state.last_seq, state.pending, state.unconfirmed, state.dead, state.quarantined], [1, 0, 0, 0, 1]);
  const [listed, ...others] = await worker.events(source, integration);
  assert.deepEqual(others, []);
  assert.deepEqual([listed.seq, listed.status, listed.reason], [1, "quarantined", reason]);
  const bytes = Buffer.from(Array.isArray(body) ? Buffer.concat(body) : body);
  assert.equal(listed.bytes, bytes.length);
  const event = await worker.event(source, integration, 1);
  assert.ok(Buffer.from(event.body, event.body_encoding).equals(bytes), "the raw body is kept as it came");
  assert.equal(event.cloudevent, null);
  const [row] = await worker.rows("SELECT * FROM integrations WHERE source = ?", source);
  assert.equal(row.last_seq, 1, "the integration is listed");
  const { integrations } = (await worker.get({ limit: 500 })).json;
  assert.ok(integrations.some((has) => has.source === source && has.integration === integration));
  assert.deepEqual(await worker.records(source, integration), []);
}

async function accepted(dialect, integration, body, options) {
  const { source, answer } = await post(dialect, body, options);
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.text, '{"status":"accepted","seq":1}');
  await worker.confirmed(source, integration);
  const [row, ...others] = await worker.records(source, integration);
  assert.deepEqual(others, []);
  return { source, row, event: await worker.event(source, integration, 1) };
}

const deep = (levels, open, close, inside = "") => open.repeat(levels) + inside + close.repeat(levels);

describe("not understood", AT_ONCE, () => {
  const BODIES = {
    "an empty body": ["", "not_json"],
    "white space": [" \n", "not_json"],
    "no JSON": ["status=approved", "not_json"],
    "half of a JSON object": [diff("default", "lease_1", {}, { a: 1 }).slice(0, -1), "not_json"],
    "two JSON objects": ["{}{}", "not_json"],
    "a trailing comma": ['{"event":"DATA_NEW",}', "not_json"],
    "two byte order marks": ["\uFEFF\uFEFF{}", "not_json"],
    "a byte order mark before an array": ["\uFEFF[]", "not_an_object"],
    NaN: ['{"a":NaN}', "not_json"],
    "an array": ["[1,2]", "not_an_object"],
    "a string": ['"lease"', "not_an_object"],
    // Right behind a timestamp of digits, a digit could be one of them.
    "a number": [" 17", "not_an_object"],
    null: ["null", "not_an_object"],
    "an empty object": ["{}", "unknown_envelope"],
    "invalid UTF-8": [Buffer.from('{"a":"\xff\xfe"}', "latin1"), "not_utf8"],
    "UTF-16": [Buffer.from('{"a":1}', "utf16le"), "not_json"],
    zeros: [Buffer.alloc(100), "not_json"],
    "100,000 arrays in each other": [deep(100_000, "[", "]"), "too_deep"],
    "100,000 objects in each other": [deep(100_000, '{"a":', "}", "1"), "too_deep"],
    "100,000 arrays that never end": ["[".repeat(100_000), "too_deep"],
    "a field 100,000 levels deep": [
      diff("int_1", "lease_1", {}, { a: "?" }).replace('"?"', deep(100_000, "[", "]")),
      "too_deep",
    ],
  };
  for (const [what, [body, reason]] of Object.entries(BODIES)) {
    for (const dialect of SOURCES) {
      test(`${dialect}: ${what}`, () => quarantined(dialect, body, reason));
    }
  }

  test("a body of exactly 1 MiB, with its length and in chunks", async () => {
    const body = Buffer.alloc(BODY_BYTES_MAX, " ");
    await quarantined("propexo", body, "not_json");
    const { answer } = await post("propexo", body, { body: [body.subarray(0, 1000), body.subarray(1000)] });
    assert.equal(answer.text, '{"status":"quarantined","seq":1}');
  });

  test("an empty body in chunks", async () => {
    const { answer } = await post("propexo", "", { body: [] });
    assert.equal(answer.text, '{"status":"quarantined","seq":1}');
  });
});

describe("ids that can't be used", AT_ONCE, () => {
  const inDefault = (record) => diff(undefined, record, {}, { a: 1 });
  const NO_ID = {
    "of 10,000 characters": ["x".repeat(10_000), "bad_record_id"],
    "of 1,025 bytes": [`${"é".repeat(512)}x`, "bad_record_id"],
    empty: ["", "bad_record_id"],
    "with a line feed": ["lease\n1", "bad_record_id"],
    "with a zero": ["lease\0", "bad_record_id"],
    missing: [undefined, "no_record_id"],
    null: [null, "no_record_id"],
    "an object": [{ id: 1 }, "no_record_id"],
    "a fraction": [1.5, "no_record_id"],
    "half of a surrogate pair": ["\ud83d", "no_record_id"],
  };
  for (const [what, [id, reason]] of Object.entries(NO_ID)) {
    for (const dialect of ["propexo", "propify"]) {
      test(`${dialect}: a record id ${what}`, () => quarantined(dialect, inDefault(id), reason));
    }
    test(`meterbase: a record id ${what}`, () => quarantined("meterbase", unit(undefined, { id, a: 1 }), reason));
    test(`real-estate: a record id ${what}`, () => quarantined("real-estate", property("evt_1", { id, a: 1 }), reason));
  }
  const BAD_INTEGRATIONS = {
    "of 10,000 characters": "x".repeat(10_000),
    empty: "",
    "with a tab": "a\tb",
    "of a fraction": 12.5,
    "of an object": { id: "int_1" },
    "of half a surrogate pair": "\ud83d",
  };
  for (const [what, id] of Object.entries(BAD_INTEGRATIONS)) {
    test(`an integration id ${what} goes to an integration of its own`, () =>
      quarantined("propexo", diff(id, "lease_1", {}, { a: 1 }), "bad_integration", "leasewire-unaddressed"));
  }
});

describe("unusual, but understood", AT_ONCE, () => {
  test("a body of exactly 1 MiB about a record", async () => {
    const timestamp = new Date().toISOString();
    const sized = (note) => unit("conn_1", { id: "unit_1", note }, timestamp);
    const note = "n".repeat(BODY_BYTES_MAX - sized("").length);
    const body = sized(note);
    assert.equal(body.length, BODY_BYTES_MAX);
    const { row } = await accepted("meterbase", "conn_1", body);
    assert.equal(row.fields, JSON.stringify({ id: "unit_1", note }));
  });

  test("in single bytes and without a length", async () => {
    const body = diff("int_1", "lease_1", {}, { a: 1 });
    const { row } = await accepted("propexo", "int_1", body, { body: body.split("") });
    assert.equal(row.fields, '{"a":1}');
  });

  test("a name twice: the last value counts", async () => {
    const body =
      '{"meta":{"object":"leases","integration_id":"int_0"},"record_id":"no","record_id":"lease_1",' +
      '"diff":{"previous":{},"new":{"a":1,"b":2,"a":3}},"meta":{"object":"leases","integration_id":"int_1"}}';
    const { row } = await accepted("propexo", "int_1", body);
    assert.deepEqual([row.record_id, row.fields], ["lease_1", '{"a":3,"b":2}']);
  });

  test("an integer as a record id, and one that no double holds", async () => {
    for (const id of ["17", "9007199254740993"]) {
      const body = diff("int_1", "?", {}, { a: 1 }).replace('"?"', id);
      const { row } = await accepted("propexo", "int_1", body);
      assert.equal(row.record_id, id);
    }
  });

  test("numbers beyond doubles, and escapes, reach D1 and the API as they were written", async () => {
    const fields =
      '{"a":9007199254740993,"b":750000.0,"c":1e400,"d":-0.10,"e":1E+2,' +
      '"f":"\\u00e9\\ud83d\\ude00\\/","g":"\\ud83d","h":"\\u0000","__proto__":{"x":1.0},"i":-0}';
    const body = diff("int_1", "lease_1", {}, "?").replace('"?"', fields);
    const { source, row } = await accepted("propexo", "int_1", body);
    assert.equal(row.fields, fields);
    const { text } = await worker.get(source, "int_1", "records", "leases", "lease_1");
    assert.ok(text.includes(`"fields":${fields}`), text);
  });

  test("an unknown model and an unknown event", async () => {
    const report = diff("int_1", "x_1", {}, { a: 1 }, "pet-screening-report");
    const model = await accepted("propexo", "int_1", report);
    assert.equal(model.row.model, "pet_screening_reports");
    const about = JSON.stringify({
      event: "DATA_REKEYED",
      integration_id: "int_1",
      object: "leases",
      record_id: "lease_1",
      diff: { new: { a: 1 } },
    });
    const { event, row } = await accepted("propexo", "int_1", about);
    assert.equal(event.event, "DATA_REKEYED");
    assert.equal(event.cloudevent.data.event, "DATA_REKEYED");
    assert.equal(row.fields, '{"a":1}');
    const other = JSON.stringify({ event: "LUNCH_TIME", integration_id: "int_1", where: 12 });
    const notice = await accepted("propexo", "int_1", other);
    assert.equal(notice.event.cloudevent.type, "leasewire.event");
    assert.deepEqual(notice.event.cloudevent.data, JSON.parse(other));
    assert.equal(notice.row, undefined);
    const archived = unit("c", { id: "u" }, undefined, "data.archived");
    const snapshot = await accepted("meterbase", "c", archived);
    assert.equal(snapshot.event.cloudevent.type, "leasewire.record.snapshot");
    const siege = property("e", { id: "p" }, undefined, "castle.besieged");
    const { event: heard, row: castle } = await accepted("real-estate", "default", siege);
    assert.deepEqual([castle.model, heard.event], ["castles", "castle.besieged"]);
  });

  const IDS = [
    "a/b",
    "/",
    "//x",
    "a b",
    " a ",
    'a"b',
    "a'b",
    "a\\b",
    "%2F",
    "%",
    "a?b",
    "a#b",
    "a&b=c",
    "a+b",
    "💶",
    "é",
    "e\u0301",
    "日本",
    "a;b",
    "{}",
    "null",
    "-1",
    "0",
    "\u202e",
    "x".repeat(1024),
    "a:b",
    "..a",
    "a.",
    "Robert'); DROP TABLE records;--",
  ];
  for (const id of IDS) {
    test(`the id ${JSON.stringify(id.slice(0, 40))} as integration and record`, async () => {
      const { source, row, event } = await accepted("propexo", id, diff(id, id, {}, { a: 1 }));
      assert.deepEqual([row.integration, row.record_id], [id, id]);
      const answer = await worker.get(source, id, "records", "leases", id);
      assert.equal(answer.status, 200, answer.text);
      assert.deepEqual([answer.json.integration, answer.json.record_id], [id, id]);
      assert.equal(event.cloudevent.subject, `leases/${id}`);
      const list = (await worker.get(source, id, "records", "leases")).json;
      assert.deepEqual(
        list.records.map((record) => record.record_id),
        [id],
      );
      assert.deepEqual(decodeURIComponent(event.cloudevent.source), `/${source}/${id}`);
    });
  }

  // A path's segments `.` and `..` mean something else, percent-encoded or not.
  for (const id of [".", ".."]) {
    test(`the id ${id} is reachable, or not taken`, async () => {
      const { source, answer } = await post("propexo", diff(id, id, {}, { a: 1 }));
      assert.equal(answer.status, 200);
      if (answer.json.status === "quarantined") return;
      const record = await worker.confirmed(source, id, 1, { ms: 3000 });
      assert.equal(record.last_seq, 1);
      assert.equal((await worker.get(source, id, "records", "leases", id)).status, 200);
    });
  }
});
