// D1 is rebuilt from the ledger's records, also where it has lost all that it knew; `/healthz` tells
// whether it has the tables that are needed.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { diff } from "./support/bodies.mjs";
import { newFolder, removeFolder } from "./support/folders.mjs";
import { request } from "./support/http.mjs";
import { serve } from "./support/leasewire.mjs";
import { until } from "./support/wait.mjs";

const RECORDS = 40;
const folder = newFolder();
let worker;
before(async () => {
  worker = await serve({ folder });
});
after(async () => {
  await worker?.stop();
  removeFolder(folder);
});

const stored = async () => {
  const rows = await worker.records("propexo", "int_1");
  return rows.map(({ record_id, version, fields, occurred_at }) => [record_id, version, fields, occurred_at]).sort();
};

test("records that D1 has lost come back, and later events follow", async () => {
  for (let n = 1; n <= RECORDS; n += 1) await worker.post("propexo", diff("int_1", `lease_${n}`, {}, { n }));
  await worker.confirmed("propexo", "int_1", RECORDS);
  const before = await stored();
  assert.equal(before.length, RECORDS);
  const { epoch } = await worker.state("propexo", "int_1");
  await worker.db.batch([worker.db.prepare("DELETE FROM records"), worker.db.prepare("DELETE FROM integrations")]);

  const asked = await worker.api("POST", "integrations/propexo/int_1/rebuild");
  assert.equal(asked.status, 202);
  assert.deepEqual([asked.json.rebuild, asked.json.count, asked.json.refused], [1, RECORDS, 0]);
  await until("the rebuild to end", async () => {
    const state = await worker.state("propexo", "int_1");
    return state.rebuild.ended_at !== null && state.rebuild.done === RECORDS && state.epoch > epoch;
  });
  assert.deepEqual(await stored(), before);
  const [row] = await worker.rows("SELECT last_seq, epoch FROM integrations");
  assert.equal(row.last_seq, RECORDS);
  assert.ok(row.epoch > epoch);

  await worker.post("propexo", diff("int_1", "lease_7", { n: 7 }, { n: 8 }));
  await worker.confirmed("propexo", "int_1", RECORDS + 1);
  const changed = (await stored()).find(([id]) => id === "lease_7");
  assert.deepEqual(changed.slice(1, 3), [RECORDS + 1, '{"n":8}']);
});

test("there is nothing to rebuild of an integration that nobody knows", async () => {
  const asked = await worker.api("POST", "integrations/propexo/nobody/rebuild");
  assert.equal(asked.status, 404);
});

test("the database is ready", async () => {
  const { status, json } = await request(`${worker.url}/healthz`);
  assert.deepEqual([status, json.status, json.database], [200, "ok", "ready"]);
});
