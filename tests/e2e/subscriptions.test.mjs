// Webhooks are registered at the pretend provider by the gateway itself: they come, they verify, and what isn't
// as it should be is said.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { MS_MAX, Pair } from "./support/pair.mjs";
import { SECRETS } from "./support/sign.mjs";
import { until } from "./support/wait.mjs";

const FOREIGN = { url: "https://another.example/webhooks", secret: "another's secret", active: true, triggers: [] };
const PATH = "sources/propexo/subscriptions";

const pair = new Pair();
before(() => pair.start({ "no-webhook": true, changes: 300 }));
after(() => pair.stop());

async function asked(method, path = PATH, body) {
  const answer = await pair.worker.api(method, path, body);
  assert.equal(answer.status, 200, answer.text);
  for (const secret of [SECRETS.PROPEXO_SECRET, FOREIGN.secret]) assert.ok(!answer.text.includes(secret));
  return answer.json;
}

test("what is registered sends webhooks that verify", async () => {
  const { webhooks, control } = pair.provider;
  const foreign = structuredClone(webhooks.register({ ...FOREIGN, triggers: ["DATA_NEW"] }));
  const before = await asked("GET");
  assert.deepEqual([before.complete, before.own, before.foreign], [false, [], 1]);
  assert.equal(before.missing.length, 4);
  assert.equal(before.url, `${pair.worker.url}/webhooks/propexo`);

  const made = await asked("POST");
  assert.deepEqual([made.complete, made.changed, made.own.length, made.missing], [true, 1, 1, []]);
  const own = webhooks.hooks.filter(({ url }) => url === made.url);
  assert.equal(own.length, 1);
  assert.equal(own[0].secret, SECRETS.PROPEXO_SECRET);
  await pair.heard(20);
  assert.equal(control.state().webhooks.answers[401], undefined);

  // Once more it is no news, and another one's is as it was.
  assert.deepEqual(await asked("POST"), { ...made, changed: 0 });
  assert.deepEqual(await asked("GET"), { ...made, changed: 0 });
  assert.deepEqual(webhooks.hooks[0], foreign);
  assert.equal(webhooks.hooks.length, 2);
  assert.ok(!pair.worker.log.some((line) => line.includes(SECRETS.PROPEXO_SECRET)));
});

test("what isn't right is said, and put right", async () => {
  const { webhooks } = pair.provider;
  const own = webhooks.hooks[1];
  own.active = false;
  let state = await asked("GET");
  assert.deepEqual([state.complete, state.own[0].active, state.missing.length], [false, false, 4]);
  state = await asked("POST");
  assert.deepEqual([state.complete, state.changed, own.active], [true, 1, true]);
  own.secret = "yet another secret";
  state = await asked("GET");
  assert.deepEqual([state.complete, state.own[0].secret_matches], [false, false]);
  state = await asked("POST");
  assert.deepEqual([state.complete, own.secret], [true, SECRETS.PROPEXO_SECRET]);
  assert.equal(webhooks.hooks.length, 2);
});

test("models and another address may be named", async () => {
  const { webhooks } = pair.provider;
  const body = JSON.stringify({ url: "https://proxy.example/in", models: ["leases", "unit"], events: ["DATA_*"] });
  const state = await asked("POST", PATH, body);
  assert.deepEqual([state.complete, state.changed, state.models.toSorted()], [true, 2, ["leases", "units"]]);
  const own = webhooks.hooks.filter(({ url }) => url === "https://proxy.example/in");
  assert.deepEqual(own.map(({ triggers }) => triggers.map(({ trigger, model }) => `${trigger} ${model}`)).sort(), [
    ["DATA_NEW leases", "DATA_UPDATE leases"],
    ["DATA_NEW units", "DATA_UPDATE units"],
  ]);
  const url = encodeURIComponent("https://proxy.example/in");
  assert.equal((await asked("GET", `${PATH}?url=${url}`)).own.length, 2);
});

test("what the provider refuses is said", async () => {
  const { control } = pair.provider;
  const refused = async (status, label, detail) => {
    for (const method of ["GET", "POST"]) {
      const answer = await pair.worker.api(method, PATH);
      assert.equal(answer.status, status, answer.text);
      assert.equal(answer.json.type, `urn:leasewire:problem:${label}`);
      assert.match(answer.json.detail, detail);
    }
  };
  for (const [kind, status, label, detail] of [
    [403, 502, "provider-refused", /The key may not/],
    [404, 502, "provider-refused", /status 404/],
    [401, 502, "provider-refused", /`api.key`/],
    [503, 503, "provider-unavailable", /status 503/],
    ["shape", 502, "provider-refused", /another shape/],
  ]) {
    control.break({ kind, path: "/v1/webhooks/" });
    await refused(status, label, detail);
    control.mend();
  }
  await until("it to work again", async () => (await pair.worker.api("GET", PATH)).status === 200, { ms: MS_MAX });
  control.break({ kind: 429, path: "/v1/webhooks/", times: 1 });
  assert.match((await pair.worker.api("GET", PATH)).json.detail, /status 429/);
  // Nothing else is asked before the next minute.
  assert.match((await pair.worker.api("GET", PATH)).json.detail, /Try again after/);
});
