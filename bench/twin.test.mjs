// The twin gives the same answers as Leasewire to the same requests, or comparing them says nothing:
// `node --test bench/twin.test.mjs`.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import http from "node:http";
import { after, before, test } from "node:test";

import { Random } from "../tests/chaos/random.mjs";
import { request, SECRETS, sign } from "./lib/bodies.mjs";
import { inRoot } from "./lib/paths.mjs";
import { start } from "./lib/subjects.mjs";

const DIALECTS = ["propexo", "meterbase"];

/** The golden requests of both dialects, each for a source of its own. */
const fixtures = DIALECTS.flatMap((dialect) =>
  readdirSync(inRoot("tests", "fixtures", dialect))
    .filter((file) => file.endsWith(".json") && !file.includes("-just-"))
    .map((file, at) => {
      const fixture = JSON.parse(readFileSync(inRoot("tests", "fixtures", dialect, file), "utf8"));
      return { ...fixture, dialect, source: `${dialect}-${at}` };
    }),
);

const secretName = (source) => `SECRET_${source.toUpperCase().replaceAll("-", "_")}`;

const HEADERS = ["content-type", "allow", "retry-after", "www-authenticate", "cache-control", "x-content-type-options"];

let both;
before(async () => {
  const sources = fixtures.map(({ source, dialect }) => [source, { dialect, secret: secretName(source) }]);
  const bindings = {
    SOURCES: {
      propexo: { dialect: "propexo", secret: "PROPEXO_SECRET" },
      meterbase: { dialect: "meterbase", secret: "METERBASE_SECRET" },
      keyless: { dialect: "propexo", secret: "NO_SUCH_SECRET" },
      phrase: { dialect: "propexo", secret: "PHRASE_SECRET" },
      ...Object.fromEntries(sources),
    },
    PHRASE_SECRET: " an old phrase \r\n\r\na new phrase\n",
    ...Object.fromEntries(fixtures.map(({ source, secret }) => [secretName(source), secret])),
  };
  both = await Promise.all(["ours", "twin"].map((name) => start(name, { bindings })));
});
after(() => Promise.all((both ?? []).map((subject) => subject.stop())));

function send({ port }, { method = "POST", path = "/webhooks/propexo", headers = {}, body, chunked, ignoresBody }) {
  return new Promise((resolve, reject) => {
    const outgoing = http.request({ port, host: "127.0.0.1", method, path, headers, agent: false }, (incoming) => {
      const parts = [];
      incoming.on("data", (part) => parts.push(part));
      incoming.on("end", () => {
        const named = HEADERS.map((name) => [name, incoming.headers[name]]);
        const text = ignoresBody ? "" : Buffer.concat(parts).toString();
        resolve({ status: incoming.statusCode, ...Object.fromEntries(named), body: text });
      });
    });
    outgoing.on("error", reject);
    if (body !== undefined && !chunked) outgoing.setHeader("content-length", Buffer.byteLength(body));
    outgoing.end(body);
  });
}

/** Sends a request to both, checks that they agree and, where stated, on what. */
async function same(options, expected) {
  const [ours, twin] = await Promise.all(both.map((subject) => send(subject, options)));
  assert.deepEqual(twin, ours);
  if (expected) assert.match(`${ours.status} ${ours.body}`, expected);
  return ours;
}

const propexo = (body) => ({ headers: { "propexo-signature": sign(body) }, body });
const about = (record, fields) =>
  propexo(JSON.stringify({ meta: { object: "leases", integration_id: "same" }, record_id: record, ...fields }));
const diff = (previous, next, record = "lease_1") => about(record, { diff: { previous, new: next } });

function meterbase(fields) {
  const body = JSON.stringify({ timestamp: new Date().toISOString(), connection_id: "same", ...fields });
  const signature = `sha256=${sign(body, SECRETS.METERBASE_SECRET)}`;
  return { path: "/webhooks/meterbase", headers: { "x-propexo-signature": signature }, body };
}

for (const fixture of fixtures) {
  test(`${fixture.dialect}: ${fixture.name}, twice`, async () => {
    let body = fixture.body === undefined ? Buffer.from(fixture.body_base64, "base64") : fixture.body;
    let { headers } = fixture;
    if (fixture.dialect === "meterbase" && fixture.expect.status !== "unauthorized" && typeof body === "string") {
      const today = body.replace(/("timestamp":\s*")[^"]*/, (_all, name) => name + new Date().toISOString());
      if (today !== body) {
        body = today;
        headers = { "x-propexo-signature": `sha256=${sign(body, fixture.secret)}` };
      }
    }
    const path = `/webhooks/${fixture.source}`;
    const { status, body: first } = await same({ path, headers, body });
    if (status === 200) assert.equal(JSON.parse(first).status, fixture.expect.status);
    await same({ path, headers, body });
  });
}

test("a status that goes back and forth is new each time, and a repetition isn't", async () => {
  const forth = diff({ status: "a" }, { status: "b" });
  const back = diff({ status: "b" }, { status: "a" });
  await same(forth, /^200 .*accepted/);
  await same(forth, /^200 .*duplicate/);
  await same(back, /^200 .*accepted/);
  await same(forth, /^200 .*accepted","seq":3/);
  await same(forth, /^200 .*duplicate","seq":3/);
  await same(back, /^200 .*accepted/);
});

test("what was set, cleared and set again is new each time", async () => {
  const set = diff({}, { move_out: "x" }, "set");
  await same(set, /accepted/);
  await same(diff({ move_out: "x" }, {}, "set"), /accepted/);
  await same(set, /accepted","seq":\d+/);
  await same(set, /duplicate/);
});

test("a creation that comes late, and drift of fields", async () => {
  for (const body of [
    about("late", { diff: { previous: { status: "a" }, new: { status: "b" } } }),
    about("late", { payload: { status: "a", rent: 1 } }),
    about("drifts", { diff: { previous: { status: "a" }, new: { status: "b", rent: 1 } } }),
    about("drifts", { diff: { previous: { status: "x", rent: 1 }, new: { status: "c", rent: 2 } } }),
    about("heals", { diff: { previous: {}, new: { status: "b", rent: 1 } } }),
    about("heals", { diff: { previous: { status: "x" }, new: { status: "c" } } }),
    about("heals", { diff: { previous: { status: "c" }, new: { status: "d" } } }),
    about("echoes", { diff: { previous: { status: "a" }, new: { status: "b" } } }),
    about("echoes", { event: "DATA_UPDATE", diff: { previous: { status: "a" }, new: { status: "b" } } }),
    about("beside", { diff: { previous: { status: "a" }, new: { status: "b" } }, payload: { status: "z", rent: 1 } }),
    about("beside", { event: "DATA_UPDATE", payload: { status: "c", rent: 2 } }),
    about("odd", { diff: { previous: { constructor: 1 }, new: { toString: 2 } } }),
  ]) {
    await same(body, /accepted/);
  }
});

test("an end of a synchronisation that says nothing of its own", async () => {
  const end = { event: "SYNC_COMPLETE", integration_id: "same", is_sync_finished: true };
  await same(propexo(JSON.stringify(end)), /accepted/);
  await same(propexo(JSON.stringify(end)), /duplicate/);
  await same(propexo(JSON.stringify({ ...end, is_sync_finished: "true" })), /quarantined/);
  const unnamed = { integration_id: "same", successful_job_count: 1, failed_job_count: 0, is_sync_finished: true };
  await same(propexo(JSON.stringify(unnamed)), /accepted/);
});

/** Changes of a unit within one second, and the same told in any order. */
function secondOf(random, id, timestamp) {
  const fields = { id, status: "vacant", rent: 1, lease: { id: "l1" } };
  const bodies = [{ event: "data.new", data: { ...fields } }];
  for (let n = random.below(4); n >= 0; n -= 1) {
    const changes = {};
    for (const name of ["status", "rent"].filter(() => random.chance(600))) {
      const old = fields[name];
      fields[name] = name === "status" ? random.pick(["vacant", "occupied", "on notice"]) : random.below(3);
      changes[name] = { old, new: fields[name] };
    }
    const isTold = random.chance(700);
    bodies.push({ event: "data.update", data: { ...fields, n: random.below(2) }, ...(isTold && { changes }) });
  }
  const all = bodies.map((body) => meterbase({ timestamp, resource_type: "unit", ...body }));
  for (let at = all.length - 1; at > 0; at -= 1) {
    const other = random.below(at + 1);
    [all[at], all[other]] = [all[other], all[at]];
  }
  return all;
}

test("MeterBase's events of one second, in any order", async () => {
  const random = new Random(7, "ties");
  const time = new Date().toISOString();
  for (let unit = 0; unit < 40; unit += 1) {
    const timestamp = random.pick([`${time.slice(0, 19)}Z`, `${time.slice(0, 23)}456789Z`, time.slice(0, 19)]);
    for (const body of secondOf(random, `unit_${unit}`, timestamp)) {
      await same(body, /^200/);
      if (random.chance(200)) await same(body, /duplicate/);
    }
  }
});

test("times in other forms of ISO 8601, to the nanosecond", async () => {
  const [date, clock] = new Date(Date.now() - 60_000).toISOString().slice(0, 19).split("T");
  const short = `${date.replaceAll("-", "")}T${clock.replaceAll(":", "")}`;
  const tomorrow = new Date(Date.now() + 86_400_000).toISOString().slice(0, 10);
  const lease = (timestamp, n) =>
    meterbase({ timestamp, event: "data.update", resource_type: "lease", data: { id: `time_${n}`, n: 1 } });
  const times = [
    `${date}T${clock}.123456789+00:00`,
    `${date} ${clock},5Z`,
    `${short}Z`,
    `${short}+0000`,
    `${date}t${clock}z`,
    `${date}T${clock}+00`,
    `${date}T${clock} Z`,
    ` ${date}T${clock}Z `,
    `${date}T${clock}.1234567891Z`,
    `${date}T${clock.slice(0, 5)}Z`,
    `${date}T${clock.slice(0, 5)}:60Z`,
  ];
  for (const [n, at] of times.entries()) await same(lease(at, n), /accepted/);
  const wrong = [
    `${tomorrow}T25:00:00Z`,
    `${date}`,
    `${date}T${clock}.Z`,
    `${date}T${clock}+24:00`,
    5,
    "2026-02-30T10:00:00Z",
  ];
  for (const [n, at] of wrong.entries()) await same(lease(at, `wrong_${n}`), /quarantined|^401/);
  // Nanoseconds tell which is the newer.
  for (const [n, at] of ["000000002", "000000001", "00000001", "000000002"].entries()) {
    const body = { event: "data.update", resource_type: "lease", data: { id: "ns", n } };
    await same(meterbase({ timestamp: `${date}T${clock}.${at}Z`, ...body }), /accepted/);
  }
});

test("what is there and can't be read", async () => {
  for (const connection_id of [5, 1.5, true, {}, [], "", ".", "\ud800", "x".repeat(1_025)]) {
    await same(meterbase({ connection_id, event: "data.new", resource_type: "unit", data: { id: "u" } }), /^200/);
    await same(meterbase({ connection_id, event: "test.ping" }), /^200/);
  }
  for (const meta of [{ object: "leases", integration_id: {} }, { object: 5 }, "leases", { integration_id: "same" }]) {
    await same(propexo(JSON.stringify({ meta, record_id: "r", payload: { a: 1 } })), /quarantined/);
  }
});

test("secrets that are phrases, one a line", async () => {
  const body = JSON.stringify({
    meta: { object: "leases", integration_id: "same" },
    record_id: "p",
    payload: { a: 1 },
  });
  const signed = (secret) => ({ path: "/webhooks/phrase", headers: { "propexo-signature": sign(body, secret) }, body });
  await same(signed("an old phrase"), /accepted/);
  await same(signed("a new phrase"), /duplicate/);
  await same(signed("phrase"), /^401/);
});

test("MeterBase's late events and synchronisations", async () => {
  const lease = (timestamp, status) =>
    meterbase({ timestamp, event: "data.update", resource_type: "lease", data: { id: "l", status } });
  const early = lease(new Date(Date.now() - 60_000).toISOString(), "early");
  await same(lease(new Date().toISOString(), "now"), /accepted/);
  await same(early, /accepted/);
  await same(early, /duplicate/);
  await same(meterbase({ event: "sync.complete", sync_id: "s1" }), /accepted/);
  await same(meterbase({ event: "sync.complete", sync_id: "s1", stats: 1 }), /duplicate/);
  await same(meterbase({ event: "test.ping", data: {} }), /pong/);
});

test("refusals", async () => {
  const body = "{}";
  const { headers } = propexo(body);
  await same({ body, headers: {} }, /^401/);
  await same({ body, headers: { "propexo-signature": "00".repeat(32) } }, /^401/);
  await same({ path: "/webhooks/nobody", body, headers }, /^404/);
  await same({ path: "/nothing" }, /^404/);
  await same({ path: "/webhooks/", body }, /^404/);
  await same({ method: "PUT", body, headers }, /^405/);
  await same({ method: "GET" }, /^405/);
  await same({ body: Buffer.alloc((1 << 20) + 1), headers }, /^413/);
  await same({ path: "/webhooks/keyless", body, headers }, /^503/);
  await same({ body: Buffer.alloc((1 << 20) + 1), headers: { "propexo-signature": "none" } }, /^401/);
  await same({ path: "/webhooks/%ff", body, headers }, /^404/);
  await same({ path: "/webhooks/propexo/more", method: "GET" }, /^404/);
});

test("methods and slashes", async () => {
  // What it says of the database is left out.
  const health = { path: "/healthz", method: "GET", ignoresBody: true };
  await same(health, /^200/);
  await same({ ...health, method: "HEAD" }, /^200/);
  await same({ ...health, path: "//healthz/" }, /^200/);
  await same({ ...health, method: "POST" }, /^405/);
  await same({ ...health, path: "/" }, /^404/);
  const body = diff({}, { status: "slashes" }, "lease_3");
  await same({ ...body, path: "/webhooks/propexo/" }, /accepted/);
  await same({ ...body, path: "//webhooks//propexo" }, /duplicate/);
  await same({ ...body, path: "/webhooks/prop%65xo" }, /duplicate/);
  await same({ ...body, path: "/webhooks/propexo//x" }, /^404/);
});

test("a body in chunks", async () => {
  const chunked = { ...diff({}, { status: "chunked" }, "lease_2"), chunked: true };
  await same(chunked, /accepted/);
  await same(chunked, /duplicate/);
});

test("the requests of the benchmark", async () => {
  for (const size of ["small", "medium", "large"]) {
    for (const expected of [/accepted/, /duplicate/]) {
      const [head, body] = request(7, { port: 0, size }).toString().split("\r\n\r\n");
      const signature = head.match(/propexo-signature: (\S+)/)[1];
      await same({ headers: { "propexo-signature": signature }, body }, expected);
    }
  }
});

/** What D1 has, with the records' fields as JavaScript reads them. */
async function inD1({ mf }, queries) {
  const db = await mf.getD1Database("DB", "leasewire");
  const found = {};
  for (const [name, sql] of Object.entries(queries)) found[name] = (await db.prepare(sql).all()).results;
  // A double has no place for 1e400, and JSON none for what it is then.
  const written = (_name, value) => (value === Infinity ? null : value);
  for (const row of found.records) row.fields = JSON.parse(row.fields, written);
  return found;
}

test("both bring the same records to D1", async () => {
  const until = Date.now() + 20_000;
  const records = `SELECT source, integration, model, record_id, version, partial, drift, fields,
                     iif(source LIKE 'meterbase%', occurred_at, length(occurred_at)) AS at, epoch > 0 AS has_epoch
                   FROM records ORDER BY 1, 2, 3, 4`;
  // Of those with records: the twin doesn't tell D1 what is quarantined.
  const integrations = `SELECT source, integration, length(last_synced_at), length(last_event_at), epoch > 0
                        FROM integrations
                        WHERE (source, integration) IN (SELECT source, integration FROM records) ORDER BY 1, 2`;
  for (;;) {
    const [ours, twin] = await Promise.all(both.map((subject) => inD1(subject, { records, integrations })));
    try {
      assert.ok(ours.records.length > 20);
      assert.deepEqual(twin, ours);
      return;
    } catch (error) {
      if (Date.now() > until) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
});
