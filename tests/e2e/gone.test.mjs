// What is gone at the provider is marked so, and nothing else is: the pretend provider's records leave, weeks
// go by, and some come back.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { MS_MAX, Pair } from "./support/pair.mjs";
import { until } from "./support/wait.mjs";

const DAYS = 40;
const DAY_S = 86_400;

const pair = new Pair();
before(() => pair.start({ ago: DAYS, changes: 0.001, speed: 60, "sync-every": DAY_S, "backsync-every": 0 }));
after(() => pair.stop());

const gone = async () => {
  const rows = await pair.worker.rows(
    "SELECT record_id, gone_since FROM records WHERE gone_since IS NOT NULL ORDER BY record_id",
  );
  return rows.map(({ record_id }) => record_id);
};
const walk = async (model) => {
  const { walks } = await pair.connector();
  return walks.find((walk) => walk.class === "gone" && walk.model === model);
};
const ended = (model) => async () => {
  const found = await walk(model);
  return found?.ended_at && found;
};

test("what no sync has seen for long is marked, and the mark goes when it is seen", async () => {
  const [integration] = pair.integrations;
  const { control } = pair.provider;
  await until("the first sync to end", () => control.integrations[0].syncs.whole > 0, { ms: MS_MAX });
  await pair.converged();
  control.switch({ syncs: false, life: false });
  assert.equal(await walk("leases"), undefined, "a first sync tells nothing of what is gone");

  // Two leases and a unit leave one property; of another all jobs fail from now on.
  const [near, , far] = control.truth("properties").map(({ id }) => id);
  const leases = control.leave({ model: "leases", count: 2, property: near });
  const units = control.leave({ model: "units", count: 1, property: near });
  control.set({ "fail-property": far });
  control.skip(DAYS * DAY_S * 1_000);
  // The list of units breaks in the middle of it, once.
  const list = `/v1/units/?order-by=created_at:asc,id:asc&integration_id=${integration}&last_seen_lte`;
  control.break({ kind: "cut", path: list, times: 1 });
  assert.deepEqual(control.sync(), [true]);

  const { repaired, skipped, reason } = await until("the leases to be looked through", ended("leases"), {
    ms: MS_MAX,
  });
  assert.equal(repaired, 2);
  const away = control.truth("leases").filter(({ property_id }) => property_id === far);
  assert.equal(skipped, away.length);
  assert.ok(away.length > 3 && reason.includes(far) && !reason.includes(near), reason);
  const unseen = await until("the units to be looked through", ended("units"), { ms: MS_MAX });
  assert.equal(unseen.repaired, 1);
  await until("the residents to be looked through", ended("residents"), { ms: MS_MAX });

  const all = [...leases, ...units].sort();
  await until("the marks in D1", async () => (await gone()).length === all.length, { ms: MS_MAX });
  assert.deepEqual(await gone(), all);
  const { last_seen } = control.truth("leases").find(({ id }) => id === leases[0]);
  const record = async (id) => (await pair.worker.get("propexo", integration, "records", "leases", id)).json;
  const marked = await record(leases[0]);
  assert.equal(Date.parse(marked.gone_since), Date.parse(last_seen));
  const { records } = (await pair.worker.get("propexo", integration, "records", "leases")).json;
  assert.equal(records.filter(({ gone_since }) => gone_since !== null).length, 2);
  const { cloudevent, origin, kind } = await pair.worker.event("propexo", integration, marked.version);
  assert.deepEqual([origin, kind, cloudevent.type], ["api", "record.gone", "leasewire.record.gone"]);
  assert.equal(cloudevent.data.gone_since, marked.gone_since);

  // One comes back; the other one stays away, whatever syncs see.
  control.return({ ids: [leases[0]] });
  control.change({ model: "leases" });
  assert.deepEqual(control.sync(), [true]);
  await until("the mark to go", async () => (await record(leases[0])).gone_since === null, { ms: MS_MAX });
  await until("the sync to end", () => !control.state().integrations[0].is_running_sync, { ms: MS_MAX });
  await pair.settled();
  const left = all.filter((id) => id !== leases[0]);
  await until("the others to stay", async () => (await gone()).length === left.length, { ms: MS_MAX });
  assert.deepEqual(await gone(), left);
});
