// The sweep, on the real storage: a ledger that has lost its alarm is found, and one that is silent
// costs nothing.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { loseAlarms } from "../../bench/lib/alarms.mjs";
import { between, count, counts, putForward } from "../../bench/lib/count.mjs";
import { diff } from "./support/bodies.mjs";
import { newFolder, removeFolder } from "./support/folders.mjs";
import { serve } from "./support/leasewire.mjs";
import { inRoot } from "./support/paths.mjs";
import { serving } from "./support/serving.mjs";
import { withoutConsumer } from "./support/stubs.mjs";
import { until } from "./support/wait.mjs";

const DAY_MS = 86_400_000;

const lease = (n) => diff("int_1", `lease_${n}`, {}, { n });

/** The sweep's lines in the log. */
const sweeps = (worker) => worker.log.map((line) => JSON.parse(line)).filter((line) => line.message === "sweep");

test("a ledger that has lost its alarm, and its packs, is woken", async () => {
  const folder = newFolder();
  after(() => removeFolder(folder));
  let worker = await serve({ folder, ...withoutConsumer });
  await worker.post("propexo", lease(1));
  const isSent = async () => (await worker.state("propexo", "int_1"))?.unconfirmed === 1;
  await until("the pack to be sent", isSent);
  await worker.stop();
  assert.equal(loseAlarms(folder), 1);

  worker = await serving({ folder });
  // The test is worth nothing if the ledger wakes by itself.
  await sleep(3_000);
  assert.deepEqual(await worker.records("propexo", "int_1"), []);

  assert.equal(await worker.sweep(), "ok");
  await until("the record to be in D1", async () => (await worker.records("propexo", "int_1")).length === 1);
  const [{ duration_ms, ...line }] = sweeps(worker);
  assert.deepEqual(line, { level: "warn", message: "sweep", outcome: "swept", ledgers: 1, woken: 1, failed: 0 });
  const about = worker.log.map((line) => JSON.parse(line)).find((line) => line.message.includes("lost its alarm"));
  assert.deepEqual([about?.level, about?.source, about?.integration], ["warn", "propexo", "int_1"]);
});

test("a silent ledger isn't written to; on the same day nobody is asked again", async () => {
  const worker = await serving({ adjust: (options) => count(options, { wakeSooner: 20 }) });
  await worker.post("propexo", lease(1));
  await worker.post("propexo", JSON.stringify({ integration_id: "int_1" }));
  await worker.confirmed("propexo", "int_1", 2);
  let last;
  const isQuiet = async () => {
    const before = last;
    last = await counts(worker.url);
    // One that is set yet would go off later, and be set again.
    if (!before || last.alarms === 0 || last.alarms_due > 0) return false;
    const { alarms, alarms_set } = between(before, last);
    return alarms === 0 && alarms_set === 0;
  };
  await until("the last alarm", isQuiet, { ms: 60_000, pause_ms: 1_000 });

  const swept = async () => {
    const before = await counts(worker.url);
    assert.equal(await worker.sweep(), "ok");
    const { rows_written, alarms_set, object_requests, d1_rows_written } = between(before, await counts(worker.url));
    return { rows_written, alarms_set, object_requests, d1_rows_written };
  };
  const nothing = { rows_written: 0, alarms_set: 0, object_requests: 0, d1_rows_written: 0 };
  const once = { ...nothing, object_requests: 1, d1_rows_written: 1 };
  assert.deepEqual(await swept(), once);
  for (let n = 0; n < 3; n += 1) assert.deepEqual(await swept(), nothing);
  assert.equal(sweeps(worker).length, 1, "a run with nothing to do is silent");
  assert.deepEqual([sweeps(worker)[0].ledgers, sweeps(worker)[0].woken], [1, 0]);
  await putForward(worker.url, DAY_MS);
  assert.deepEqual(await swept(), once);
});

test("a connector that has lost its alarm asks again", async () => {
  let asked = 0;
  const api = createServer((_, response) => {
    asked += 1;
    response.writeHead(500).end();
  });
  api.listen(0, "127.0.0.1");
  await once(api, "listening");
  after(() => api.close());

  const folder = newFolder();
  after(() => removeFolder(folder));
  const propexo = {
    ...{ dialect: "propexo", secret: "PROPEXO_SECRET" },
    api: { kind: "propexo", key: "PROPEXO_API_KEY", url: `http://127.0.0.1:${api.address().port}`, backfill: false },
  };
  const options = { folder, bindings: { SOURCES: { propexo }, PROPEXO_API_KEY: "a key" }, adjust: count };
  let worker = await serve(options);
  await worker.post("propexo", lease(1));
  await until("the API to be asked", () => asked > 0);
  await worker.stop();
  assert.ok(loseAlarms(folder) > 0);
  const before = asked;

  worker = await serving(options);
  await putForward(worker.url, 700_000);
  // The test is worth nothing if the connector wakes by itself.
  await sleep(3_000);
  assert.equal(asked, before);
  assert.equal(await worker.sweep(), "ok");
  await until("the API to be asked again", () => asked > before);
  const about = worker.log
    .map((line) => JSON.parse(line))
    .find((line) => line.message.startsWith("connector had lost"));
  assert.deepEqual([about?.level, about?.source], ["warn", "propexo"]);
});

const BROKEN = `
import worker, { Connector, Ledger } from "./index.js";
export { Connector, Ledger };
const breaks = {
  "propexo/hangs": () => new Promise(() => {}),
  "propexo/throws": () => { throw new Error("not today"); },
};
export default {
  fetch: worker.fetch,
  queue: worker.queue,
  scheduled(event, env, ctx) {
    const LEDGER = {
      idFromName: (name) => name,
      get: (name) => (breaks[name] ? { call: breaks[name] } : env.LEDGER.get(env.LEDGER.idFromName(name))),
    };
    return worker.scheduled(event, { ...env, LEDGER }, ctx);
  },
};
`;

test("one that can't be asked, or isn't there, keeps the sweep from nobody", async () => {
  const worker = await serving({
    adjust(options) {
      options.modules.unshift({ type: "ESModule", path: inRoot("build", "broken.js"), contents: BROKEN });
    },
  });
  await worker.post("propexo", diff("z_works", "lease_1", {}, { n: 1 }));
  await worker.confirmed("propexo", "z_works");
  for (const name of ["hangs", "throws", "made_up"]) {
    await worker.db
      .prepare("INSERT INTO integrations (source, integration, last_seq) VALUES ('propexo', ?, 1)")
      .bind(name)
      .run();
  }
  assert.equal(await worker.sweep(), "ok");
  const [{ duration_ms, ...line }] = sweeps(worker);
  assert.deepEqual(line, { level: "warn", message: "sweep", outcome: "swept", ledgers: 4, woken: 0, failed: 2 });
  const told = worker.log.map((line) => JSON.parse(line)).filter((line) => line.message === "ledger can't be swept");
  assert.deepEqual(
    told.map((line) => line.integration),
    ["hangs", "throws"],
  );
  assert.match(told[0].reason, /^no answer within/);
  assert.equal(told[1].reason, "not today");
  assert.equal((await worker.get("propexo", "made_up")).status, 404);
});

test("a database that fails is in the log, and the event doesn't", async () => {
  const worker = await serving();
  await worker.db.exec("ALTER TABLE sweep RENAME TO hidden");
  assert.equal(await worker.sweep(), "ok");
  const [line] = sweeps(worker);
  assert.deepEqual([line.level, line.outcome], ["warn", "failed"]);
  assert.match(line.reason, /no such table/);
  await worker.db.exec("ALTER TABLE hidden RENAME TO sweep");
  assert.equal(await worker.sweep(), "ok");
  assert.equal(sweeps(worker).at(-1).outcome, "swept");
});
