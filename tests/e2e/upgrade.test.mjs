// The Worker of 0.1.0 and this one take turns on one state, as in an upgrade, a deployment that is taken
// back, and the next attempt. `tests/golden/stores/0.1.0/worker` is what 0.1.0 was built to.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, test } from "node:test";

import { diff } from "./support/bodies.mjs";
import { newFolder, removeFolder } from "./support/folders.mjs";
import { request } from "./support/http.mjs";
import { serve } from "./support/leasewire.mjs";
import { inRoot } from "./support/paths.mjs";
import { until } from "./support/wait.mjs";

const { unstable_splitSqlQuery: statements } = await import("wrangler");

const folder = newFolder();
let worker;
after(async () => {
  await worker?.stop();
  removeFolder(folder);
});

const stored = (...path) => inRoot("tests", "golden", "stores", "0.1.0", ...path);

/** The Worker of 0.1.0 in place of the built one. */
function older(options) {
  options.modules = [
    { type: "ESModule", path: stored("worker", "index.js") },
    { type: "CompiledWasm", path: stored("worker", "index_bg.wasm") },
  ];
}

async function turn(adjust) {
  await worker?.stop();
  worker = await serve({ folder, adjust });
}

const run = (sql) => worker.db.batch(statements(sql).map((statement) => worker.db.prepare(statement)));
const script = (name) => run(readFileSync(inRoot("upgrade", name), "utf8"));
const migrate = (name) => run(readFileSync(inRoot("migrations", name), "utf8"));

/** D1 as the migrations of 0.1.0 leave it, empty. */
async function makeOlderTables() {
  const tables = await worker.rows(
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_cf%' ESCAPE '\\' AND name NOT LIKE 'sqlite%'",
  );
  await run(tables.map(({ name }) => `DROP TABLE ${name};`).join("\n"));
  const made = statements(readFileSync(stored("d1.sql"), "utf8")).filter((statement) =>
    /CREATE/.test(statement.slice(0, 200)),
  );
  await worker.db.batch(made.map((statement) => worker.db.prepare(statement)));
}

const health = async () => (await request(`${worker.url}/healthz`)).json;
const step = (n) => diff("int_1", "lease_1", { n: n - 1 }, { n });

/** The step `n` is taken in as the number `n`, known as a repetition, and in D1. */
async function take(n) {
  assert.deepEqual((await worker.post("propexo", step(n))).json, { status: "accepted", seq: n });
  assert.deepEqual((await worker.post("propexo", step(n))).json, { status: "duplicate", seq: n });
  await worker.confirmed("propexo", "int_1", n);
  const [row] = await worker.records("propexo", "int_1");
  assert.deepEqual([row.version, row.fields], [n, `{"n":${n}}`]);
}

test("0.1.0 and this version take turns", async () => {
  await turn(older);
  await makeOlderTables();
  await take(1);
  await take(2);

  // Deployed before the database was brought up: events are kept, and it says what is the matter.
  await turn();
  const { status, detail } = await health();
  assert.equal(status, 503);
  assert.match(detail, /upgrade\/0\.1\.0\.sql/);
  await turn(older);

  // Brought up while 0.1.0 still runs.
  await script("0.1.0.sql");
  await assert.rejects(script("0.1.0.sql"), /duplicate column name: epoch/);
  await take(3);

  // Deployed before a migration, as 0.2.0 left it: what is taken in waits, and arrives by itself.
  await turn();
  const behind = await health();
  assert.deepEqual([behind.status, /migrations apply/.test(behind.detail)], [503, true], behind.detail);
  assert.deepEqual((await worker.post("propexo", step(4))).json, { status: "accepted", seq: 4 });
  assert.equal((await worker.get("propexo", "int_1", "records", "leases", "lease_1")).status, 503);
  assert.equal((await worker.records("propexo", "int_1"))[0].version, 3);
  await migrate("0002_asking.sql");
  await worker.confirmed("propexo", "int_1", 4, { ms: 240_000 });
  const { dead, quarantined } = await worker.state("propexo", "int_1");
  assert.deepEqual([dead, quarantined], [0, 0]);
  assert.equal((await worker.records("propexo", "int_1"))[0].version, 4);

  await turn();
  assert.equal((await health()).database, "ready");
  // What 0.1.0 took in is known.
  assert.deepEqual((await worker.post("propexo", step(3))).json, { status: "duplicate", seq: 3 });
  await take(5);
  assert.equal((await worker.state("propexo", "int_1")).epoch, 0);

  // Taken back, and deployed again.
  await turn(older);
  await take(6);
  await turn();
  await take(7);

  const state = await worker.replay("propexo", "int_1", { from: 1, to: 7 });
  assert.deepEqual([state.dead, state.quarantined, state.replay.done], [0, 0, 7]);
  await until("the replayed record to be in D1", async () => {
    const [row] = await worker.records("propexo", "int_1");
    return row.generation === 1 && row.version === 7 && row.fields === '{"n":7}';
  });
  await script("0.1.0-times.sql");
  for (const { occurred_at } of await worker.records("propexo", "int_1")) assert.equal(occurred_at.length, 30);
});
