// When units are occupied and vacated: noticed once, whatever comes twice, late or is replayed.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { diff, unit } from "./support/bodies.mjs";
import { newFolder, removeFolder } from "./support/folders.mjs";
import { request } from "./support/http.mjs";
import { serve } from "./support/leasewire.mjs";
import { SECRETS } from "./support/sign.mjs";

const PROPEXO = { dialect: "propexo", secret: "PROPEXO_SECRET" };
const METERBASE = { dialect: "meterbase", secret: "METERBASE_SECRET" };
const sources = (propexo) => ({
  bindings: { SOURCES: { propexo: { ...PROPEXO, ...propexo }, meterbase: METERBASE } },
});

/** Number, kind and record of each notice. */
async function notices(worker, source, integration) {
  const answer = await worker.get(source, integration, "notices");
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.json.next, null);
  return answer.json.notices.map(({ seq, kind, record_id: record }) => `${seq} ${kind} ${record}`);
}

async function replayAll(worker, source, integration) {
  const { last_seq: to } = await worker.state(source, integration);
  await worker.replay(source, integration, { from: 1, to });
}

describe("notices", () => {
  const folder = newFolder();
  let worker;
  before(async () => {
    worker = await serve({ folder, ...sources() });
  });
  after(async () => {
    await worker?.stop();
    removeFolder(folder);
  });

  const minutesAgo = (minutes) => new Date(Date.now() - minutes * 60_000).toISOString();
  const vacant = { id: "u1", status: "vacant", current_lease: null };
  const occupied = { id: "u1", status: "occupied", current_lease: { id: "lease_1" } };

  test("are in the event, in D1 and in the API", async () => {
    const at = minutesAgo(60);
    const first = unit("int_1", occupied, at, "data.update", {
      status: { old: "vacant", new: "occupied" },
      current_lease: { old: null, new: "lease_1" },
    });
    await worker.post("meterbase", first);
    await worker.confirmed("meterbase", "int_1", 1);
    const event = await worker.event("meterbase", "int_1", 1);
    assert.deepEqual(event.cloudevent.data.notices, ["unit.occupied"]);
    const { json } = await worker.get("meterbase", "int_1", "notices");
    const notice = {
      source: "meterbase",
      integration: "int_1",
      seq: 1,
      kind: "unit.occupied",
      model: "units",
      record_id: "u1",
      count: 1,
    };
    const [{ at: since, ...told }] = json.notices;
    assert.deepEqual([told, json.next, Date.parse(since)], [notice, null, Date.parse(at)]);

    assert.equal((await worker.post("meterbase", first)).json.status, "duplicate");
    assert.deepEqual(await notices(worker, "meterbase", "int_1"), ["1 unit.occupied u1"]);
  });

  test("come with late events, and stay the same under a replay", async () => {
    await worker.post("meterbase", unit("int_2", vacant, minutesAgo(50)));
    await worker.post("meterbase", unit("int_2", vacant, minutesAgo(10)));
    await worker.confirmed("meterbase", "int_2", 2);
    assert.deepEqual(await notices(worker, "meterbase", "int_2"), []);
    await worker.post("meterbase", unit("int_2", occupied, minutesAgo(30)));
    await worker.confirmed("meterbase", "int_2", 3);
    const both = ["3 unit.occupied u1", "3 unit.vacated u1"];
    assert.deepEqual(await notices(worker, "meterbase", "int_2"), both);
    assert.equal((await worker.event("meterbase", "int_2", 3)).cloudevent.data.late, true);

    for (const _ of [1, 2]) {
      await replayAll(worker, "meterbase", "int_2");
      assert.deepEqual(await notices(worker, "meterbase", "int_2"), both);
    }

    const page = (query) => worker.get("meterbase", "int_2", "notices", query);
    const head = await page({ limit: 1 });
    assert.deepEqual([head.json.notices.length, head.json.next], [1, "3/unit.occupied"]);
    const rest = await page({ limit: 1, after: head.json.next });
    assert.deepEqual([rest.json.notices[0].kind, rest.json.next], ["unit.vacated", null]);
    assert.deepEqual((await page({ after: 3 })).json, { notices: [], next: null });
  });

  test("move when a replay brings in what was left out", async () => {
    const change = (from, to, more) =>
      diff("int_3", "u9", { status: from }, { status: to, property_id: "p1", ...more }, "units");
    await worker.stop();
    worker = await serve({ folder, ...sources({ events: ["DATA_*"] }) });
    await worker.post("propexo", change("vacant", "occupied", { n: 1 }));
    const named = { ...JSON.parse(diff("int_3", "u9", {}, { status: "occupied" }, "units")), event: "DATA_UPDATE" };
    await worker.post("propexo", JSON.stringify(named));
    await worker.post("propexo", JSON.stringify({ ...named, diff: { previous: {}, new: { status: "vacant" } } }));
    await worker.confirmed("propexo", "int_3", 3);
    assert.deepEqual(await notices(worker, "propexo", "int_3"), ["3 unit.vacated u9"]);

    await worker.stop();
    worker = await serve({ folder, ...sources() });
    await replayAll(worker, "propexo", "int_3");
    const all = ["1 unit.occupied u9", "3 unit.vacated u9"];
    assert.deepEqual(await notices(worker, "propexo", "int_3"), all);
  });

  test("are refused to who asks wrongly", async () => {
    const refused = async (...path) => {
      const { status, json } = await worker.get("meterbase", ...path);
      return [status, json.detail];
    };
    const limit = "`limit` must be a whole number from 1 to 500.";
    assert.deepEqual(await refused("int_1", "notices", { limit: 0 }), [400, limit]);
    assert.deepEqual(await refused("int_1", "notices", { limit: 501 }), [400, limit]);
    const cursor = "`after` must be a number of an event, or the `next` of the page before.";
    assert.deepEqual(await refused("int_1", "notices", { after: "x" }), [400, cursor]);
    assert.deepEqual(await refused("int_1", "notices", { after: "-1/unit.occupied" }), [400, cursor]);
    const unknown = [404, "There is no such integration."];
    assert.deepEqual(await refused("nobody", "notices"), unknown);
    assert.deepEqual(await refused("nobody", "records", "units"), unknown);
    const url = `${worker.url}/v1/integrations/meterbase/int_1/notices`;
    const headers = { authorization: `Bearer ${SECRETS.API_TOKEN}` };
    const posted = await request(url, { method: "POST", headers });
    assert.deepEqual([posted.status, posted.headers.allow], [405, "GET, HEAD"]);
    assert.equal((await request(url)).status, 401);
  });
});
