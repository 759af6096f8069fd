// The numbers: what is counted arrives once, costs next to nothing, and trouble is seen and goes.

import assert from "node:assert/strict";
import { after, describe, test } from "node:test";

import { between, count, counts, putForward } from "../../bench/lib/count.mjs";
import { diff } from "./support/bodies.mjs";
import { newFolder, removeFolder } from "./support/folders.mjs";
import { request } from "./support/http.mjs";
import { DEAD_QUEUE, RECORDS_QUEUE, serve } from "./support/leasewire.mjs";
import { inRoot } from "./support/paths.mjs";
import { serving } from "./support/serving.mjs";
import { SECRETS } from "./support/sign.mjs";
import { withoutConsumer } from "./support/stubs.mjs";
import { until } from "./support/wait.mjs";

const OUTCOMES = [
  "accepted",
  "duplicate",
  "quarantined",
  "ignored",
  "pong",
  "bad_signature",
  "too_large",
  "source_not_ready",
  "ledger_unavailable",
];

/** A ledger called `down` can't be reached. */
const WITHOUT_ONE = `
import worker from "./index.js";
export { Connector, Ledger } from "./index.js";
export default {
  fetch(request, env, ctx) {
    const down = { call: () => { throw new Error("not today"); } };
    const LEDGER = {
      idFromName: (name) => (name.endsWith("/down") ? null : env.LEDGER.idFromName(name)),
      get: (id) => (id === null ? down : env.LEDGER.get(id)),
    };
    return worker.fetch(request, { ...env, LEDGER }, ctx);
  },
  queue: (batch, env, ctx) => worker.queue(batch, env, ctx),
};
`;

test("every delivery to a configured source is counted, by what became of it", async () => {
  const worker = await serving({
    adjust(options) {
      options.modules.unshift({ type: "ESModule", path: inRoot("build", "without.js"), contents: WITHOUT_ONE });
      const { propexo, meterbase } = options.bindings.SOURCES;
      const unset = { ...propexo, secret: "NOT_SET" };
      const wrong = { ...propexo, dialect: "latin" };
      options.bindings.SOURCES = { propexo: { ...propexo, models: ["leases"] }, meterbase, unset, wrong };
    },
  });
  const lease = (n, integration = "int_1") => diff(integration, `lease_${n}`, {}, { n });
  const post = async (times, status, source, body, options) => {
    for (let n = 0; n < times; n += 1) assert.equal((await worker.post(source, body, options)).status, status);
  };
  for (let n = 0; n < 9; n += 1) await post(1, 200, "propexo", lease(n));
  await post(8, 200, "propexo", lease(0));
  for (let n = 0; n < 7; n += 1) await post(1, 200, "propexo", JSON.stringify({ n }));
  for (let n = 0; n < 6; n += 1) await post(1, 200, "propexo", diff("int_1", `unit_${n}`, {}, { n }, "units"));
  await post(5, 200, "meterbase", JSON.stringify({ event: "test.ping" }));
  await post(4, 401, "propexo", lease(1), { secret: "another" });
  await post(3, 413, "propexo", Buffer.alloc((1 << 20) + 1));
  await post(2, 503, "unset", lease(1), { dialect: "propexo" });
  await post(1, 503, "wrong", lease(1), { dialect: "propexo" });
  await post(1, 503, "propexo", lease(1, "down"));
  // Nobody's, ours, and no webhook at all.
  await post(3, 404, "nobody", lease(1), { dialect: "propexo" });
  assert.equal((await worker.api("POST", "sources/propexo/test", "{}")).json.response.status, 200);
  assert.equal((await request(`${worker.url}/webhooks/propexo`)).status, 405);
  await worker.confirmed("propexo", "int_1", 15);

  const expected = {
    propexo: {
      accepted: 9,
      duplicate: 8,
      quarantined: 7,
      ignored: 6,
      bad_signature: 4,
      too_large: 3,
      ledger_unavailable: 1,
    },
    meterbase: { pong: 5 },
    unset: { source_not_ready: 2 },
    wrong: { source_not_ready: 1 },
  };
  const events = 'leasewire_events_total{source="propexo"}';
  await until("the list to have the last event", async () => (await worker.metrics()).get(events) === 23, {
    ms: 20_000,
  });
  for (let look = 0; look < 2; look += 1) {
    const samples = await worker.metrics();
    for (const [source, counts] of Object.entries(expected)) {
      for (const outcome of OUTCOMES) {
        const key = `leasewire_deliveries_total{source="${source}",outcome="${outcome}"}`;
        assert.equal(samples.get(key), counts[outcome] ?? 0, key);
      }
    }
    const names = [...samples.keys()];
    assert.ok(!names.some((name) => name.includes("nobody")));
    assert.equal(samples.get('leasewire_integrations{source="propexo"}'), 3, "int_1, default and leasewire-test");
    assert.equal(samples.get('leasewire_events_pending{source="propexo"}'), 0);
    assert.equal(samples.get('leasewire_events_unconfirmed{source="wrong"}'), 0);
    assert.equal(samples.get('leasewire_oldest_unconfirmed_seconds{source="propexo"}'), 0);
    const packs = samples.get('leasewire_confirmation_seconds_count{source="propexo"}');
    assert.ok(packs >= 2 && packs <= 10, `${packs} packs`);
    const seconds = samples.get('leasewire_confirmation_seconds_sum{source="propexo"}');
    assert.ok(seconds > 0 && seconds < 30, `${seconds} s`);
  }
});

test("what isn't written yet is, before the page is made", async () => {
  const worker = await serving();
  await worker.post("propexo", diff("int_1", "lease_1", {}, { n: 1 }));
  const samples = await worker.metrics();
  assert.equal(samples.get('leasewire_deliveries_total{source="propexo",outcome="accepted"}'), 1);
  const [, version] = (await request(`${worker.url}/healthz`)).text.match(/"version":"([^"]+)"/);
  assert.equal(samples.get(`leasewire_build_info{version="${version}"}`), 1);
});

test("how large the largest ledger and the database are is told, and again when they have grown", async () => {
  const worker = await serving({ adjust: (options) => count(options, { wakeSooner: 30 }) });
  const ledger = 'leasewire_ledger_bytes{source="propexo"}';
  const listed = async () => (await worker.api("GET", "integrations")).json.integrations[0]?.bytes;
  await worker.post("propexo", diff("int_1", "lease_1", {}, { n: 1 }));
  const bytes = await until("the first size", listed);
  assert.ok(bytes > 50_000 && bytes < 500_000, `${bytes} bytes`);
  const samples = await worker.metrics();
  assert.equal(samples.get(ledger), bytes);
  const { size_after } = (await worker.db.prepare("SELECT 1").run()).meta;
  assert.ok(size_after > 0);
  assert.equal(samples.get("leasewire_database_bytes"), size_after);

  for (let n = 0; n < 4; n += 1) {
    await worker.post("propexo", diff("int_1", `lease_${n}`, {}, { notes: `${n}`.repeat(300_000) }));
  }
  await worker.confirmed("propexo", "int_1", 5);
  const { bytes: now } = await worker.state("propexo", "int_1");
  assert.ok(now > 2_000_000, `${now} bytes`);
  const grown = await until(
    "the report",
    async () => {
      await putForward(worker.url, 7_000);
      const samples = await worker.metrics();
      return Math.abs(samples.get(ledger) - now) < 1_000_000 && samples;
    },
    { ms: 30_000, pause_ms: 250 },
  );
  assert.equal(await listed(), grown.get(ledger));
  assert.ok(grown.get("leasewire_database_bytes") > size_after + 1_000_000);
  assert.equal(grown.get('leasewire_integration_bytes{source="propexo",integration="int_1"}'), undefined);
});

test("many webhooks write one row, and no ledger is asked for a bad signature", async () => {
  const worker = await serving({ adjust: count });
  const WEBHOOKS = 200;
  const before = await counts(worker.url);
  const post = (n) => worker.post("propexo", diff("int_1", `lease_${n}`, {}, { n }), { secret: "another" });
  const answers = await Promise.all(Array.from({ length: WEBHOOKS }, (_, n) => post(n)));
  assert.ok(answers.every(({ status }) => status === 401));
  const written = async () => between(before, await counts(worker.url)).d1_rows_written;
  assert.equal(await written(), 0, "the answers didn't wait for it");
  await until("the counts to be written", async () => (await written()) > 0);
  const { d1_rows_written, object_requests } = between(before, await counts(worker.url));
  assert.deepEqual([d1_rows_written, object_requests], [1, 0]);
  const [row] = await worker.rows("SELECT bad_signature FROM metrics");
  assert.equal(row.bad_signature, WEBHOOKS);
});

test("a batch isn't held up by what is to be written behind it", async () => {
  const folder = newFolder();
  after(() => removeFolder(folder));
  const first = await serve({ folder, ...withoutConsumer });
  await first.post("propexo", diff("int_1", "lease_1", {}, { n: 1 }));
  const { cloudevent } = await until("the event", () => first.event("propexo", "int_1", 1));
  await first.stop();
  // Started anew, so that the first to be counted is the confirmation.
  const worker = await serving({ folder, ...withoutConsumer });
  const consumer = await worker.mf.getWorker("leasewire");
  const message = { id: "1", timestamp: new Date(), attempts: 1, body: JSON.stringify([cloudevent]) };
  const since = performance.now();
  const { outcome } = await consumer.queue(RECORDS_QUEUE, [message]);
  const took_ms = performance.now() - since;
  assert.equal(outcome, "ok");
  assert.ok(took_ms < 4_000, `${Math.round(took_ms)} ms: what was counted is written after 5 s`);
  await until("it to be written", async () => (await worker.rows("SELECT 1 FROM metrics")).length === 1);
});

describe("who asks for it", () => {
  test("needs the token, whatever else is wrong", async () => {
    const worker = await serving();
    for (const authorization of [undefined, "Bearer wrong", `Basic ${SECRETS.API_TOKEN}`]) {
      for (const [method, path] of [
        ["GET", "/metrics"],
        ["POST", "/metrics"],
        ["GET", "/metrics/x"],
        ["GET", "/%6detrics"],
      ]) {
        const answer = await request(worker.url + path, { method, headers: authorization ? { authorization } : {} });
        assert.equal(answer.status, 401, `${method} ${path}`);
        assert.equal(answer.headers["content-type"], "application/problem+json");
      }
    }
    const authorization = `Bearer ${SECRETS.API_TOKEN}`;
    const answer = await request(`${worker.url}/metrics`, { headers: { authorization } });
    assert.equal(answer.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    const posted = await request(`${worker.url}/metrics`, { method: "POST", headers: { authorization }, body: "" });
    assert.deepEqual([posted.status, posted.headers.allow], [405, "GET, HEAD"]);
  });

  test("gets a problem while the database fails; nothing counted is lost by it", async () => {
    const worker = await serving();
    await worker.post("propexo", diff("int_1", "lease_1", {}, { n: 1 }));
    await worker.db.exec("ALTER TABLE metrics RENAME TO hidden");
    const headers = { authorization: `Bearer ${SECRETS.API_TOKEN}` };
    const refused = await request(`${worker.url}/metrics`, { headers });
    assert.equal(refused.status, 503);
    assert.equal(refused.json.type, "urn:leasewire:problem:database-unavailable");
    await worker.db.exec("ALTER TABLE hidden RENAME TO metrics");
    const samples = await worker.metrics();
    assert.equal(samples.get('leasewire_deliveries_total{source="propexo",outcome="accepted"}'), 1);
  });
});

describe("trouble", () => {
  const of = (name) => `leasewire_${name}{source="propexo"}`;
  const int_1 = (state) => `leasewire_integration_events{source="propexo",integration="int_1",state="${state}"}`;
  const lease = (n) => diff("int_1", `lease_${n}`, {}, { n });

  /** Alarms that come soon, and a database that takes reports but no records. */
  async function troubled(queue) {
    const worker = await serving({
      adjust: (options) => count(options, { wakeSooner: 30 }),
      queues: { [RECORDS_QUEUE]: queue, [DEAD_QUEUE]: { retryDelay: 0 } },
    });
    await worker.db.exec("ALTER TABLE records RENAME TO hidden");
    return worker;
  }

  /** The samples, when they show what is expected; the clock runs as fast as alarms come. */
  const shows = (worker, what, expected) =>
    until(
      what,
      async () => {
        await putForward(worker.url, 7_000);
        const samples = await worker.metrics();
        return Object.entries(expected).every(([key, value]) => samples.get(key) === value) && samples;
      },
      { ms: 30_000, pause_ms: 250 },
    );

  test("what waits is seen when it has waited for too long, and goes with its confirmation", async () => {
    const worker = await troubled({ retryDelay: 3_600 });
    await worker.post("propexo", lease(1));
    await worker.post("propexo", lease(2));
    await until("the ledger to be known", () => worker.state("propexo", "int_1"));
    assert.equal((await worker.metrics()).get(of("events_unconfirmed")), 0, "it may take a moment");
    await putForward(worker.url, 60_000);
    const samples = await shows(worker, "the report", { [of("events_unconfirmed")]: 2 });
    assert.equal(samples.get(int_1("unconfirmed")), 2);
    const oldest = samples.get(of("oldest_unconfirmed_seconds"));
    assert.ok(oldest >= 60 && oldest < 300, `${oldest} s`);
    const own = 'leasewire_integration_oldest_unconfirmed_seconds{source="propexo",integration="int_1"}';
    assert.equal(samples.get(own), oldest);
    // It grows by itself.
    await putForward(worker.url, 600_000);
    assert.ok((await worker.metrics()).get(of("oldest_unconfirmed_seconds")) >= oldest + 600);

    await worker.db.exec("ALTER TABLE hidden RENAME TO records");
    await worker.confirmed("propexo", "int_1", 2, { ms: 60_000 });
    const healthy = { [of("events_unconfirmed")]: 0, [of("oldest_unconfirmed_seconds")]: 0, [own]: undefined };
    await shows(worker, "the report to go", { ...healthy, [int_1("unconfirmed")]: undefined });
    // It took long, and so it is in the histogram.
    const later = await worker.metrics();
    const within = (le) => later.get(`leasewire_confirmation_seconds_bucket{source="propexo",le="${le}"}`);
    assert.ok(within("300") < within("1800"), "more than 5 minutes");
  });

  test("what is dead is seen, and goes when it is redriven", async () => {
    const worker = await troubled({ maxRetries: 0, retryDelay: 0 });
    await worker.post("propexo", lease(1));
    await shows(worker, "the report", { [of("events_dead")]: 1, [int_1("dead")]: 1 });
    await worker.db.exec("ALTER TABLE hidden RENAME TO records");
    const answer = await worker.api("POST", "integrations/propexo/int_1/redrive", "{}");
    assert.deepEqual(answer.json, { packs: 1, events: 1, not_applied: 0 });
    await shows(worker, "the report to go", { [of("events_dead")]: 0, [int_1("dead")]: undefined });
    assert.equal((await worker.records("propexo", "int_1")).length, 1);
  });

  test("what isn't understood is seen", async () => {
    const worker = await troubled({});
    await worker.post("propexo", JSON.stringify({ integration_id: "int_1" }));
    await shows(worker, "the report", { [of("events_quarantined")]: 1, [int_1("quarantined")]: 1 });
  });
});
