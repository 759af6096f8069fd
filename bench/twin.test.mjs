// The twin gives the same answers as Leasewire to the same requests, or comparing them says nothing:
// `node --test bench/twin.test.mjs`.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import http from "node:http";
import { after, before, test } from "node:test";

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

let both;
before(async () => {
  const sources = fixtures.map(({ source, dialect }) => [source, { dialect, secret: secretName(source) }]);
  const bindings = {
    SOURCES: {
      propexo: { dialect: "propexo", secret: "PROPEXO_SECRET" },
      meterbase: { dialect: "meterbase", secret: "METERBASE_SECRET" },
      keyless: { dialect: "propexo", secret: "NO_SUCH_SECRET" },
      ...Object.fromEntries(sources),
    },
    ...Object.fromEntries(fixtures.map(({ source, secret }) => [secretName(source), secret])),
  };
  both = await Promise.all(["ours", "twin"].map((name) => start(name, { bindings })));
});
after(() => Promise.all((both ?? []).map((subject) => subject.stop())));

function send({ port }, { method = "POST", path = "/webhooks/propexo", headers = {}, body, chunked }) {
  return new Promise((resolve, reject) => {
    const outgoing = http.request({ port, host: "127.0.0.1", method, path, headers, agent: false }, (incoming) => {
      const parts = [];
      incoming.on("data", (part) => parts.push(part));
      incoming.on("end", () => {
        const named = ["content-type", "allow", "retry-after"].map((name) => [name, incoming.headers[name]]);
        resolve({ status: incoming.statusCode, ...Object.fromEntries(named), body: Buffer.concat(parts).toString() });
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
const diff = (previous, next, record = "lease_1") =>
  propexo(JSON.stringify({ meta: { object: "leases", integration_id: "same" }, record_id: record, diff: { previous, new: next } }));

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

test("both bring the same records to D1", async () => {
  const until = Date.now() + 10_000;
  const sql = `SELECT source, integration, model, record_id, version, partial, drift,
                 source LIKE '%-%' OR json_valid(fields) AS readable FROM records ORDER BY 1, 2, 3, 4`;
  for (;;) {
    const [ours, twin] = await Promise.all(
      both.map(async ({ mf }) => (await (await mf.getD1Database("DB", "leasewire")).prepare(sql).all()).results),
    );
    try {
      assert.ok(ours.length > 20);
      assert.deepEqual(twin, ours);
      return;
    } catch (error) {
      if (Date.now() > until) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
});
