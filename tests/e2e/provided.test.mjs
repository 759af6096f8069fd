// The gateway and the pretend provider of examples/provider, which loses, repeats and delays webhooks: what
// one says it sent, the other has.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { startProvider } from "../../examples/provider/server.mjs";
import { request } from "./support/http.mjs";
import { serving } from "./support/serving.mjs";
import { SECRETS } from "./support/sign.mjs";
import { until } from "./support/wait.mjs";

const INTEGRATIONS = ["int_yardi", "int_entrata"];
const MS_MAX = 60_000;

test("webhooks that are lost, repeated and late are counted alike on both sides", async () => {
  const worker = await serving();
  const provider = await startProvider({
    ...{ port: 0, gateway: worker.url, secret: SECRETS.PROPEXO_SECRET, seed: 7, speed: 300 },
    ...{ lose: 0.2, repeat: 0.2, reorder: 0.2, changes: 300, "sync-every": 300, "quiet-after": 5 },
  });
  after(() => provider.stop());
  const control = async (method, path, body) => {
    const answer = await request(`${provider.url}/_provider/${path}`, { method, body: body && JSON.stringify(body) });
    assert.equal(answer.status, 200, answer.text);
    return answer.json;
  };
  await until("the provider to be quiet", async () => (await control("GET", "state")).is_quiet, { ms: MS_MAX });
  await control("POST", "switch", { syncs: false });
  let state;
  const isSent = async () => {
    state = await control("GET", "state");
    return state.webhooks.waiting === 0 && !state.integrations.some((one) => one.is_running_sync);
  };
  await until(() => `all to be sent; it was ${JSON.stringify(state)}`, isSent, { ms: MS_MAX });
  const { webhooks } = state;
  assert.ok(webhooks.made > 200 && webhooks.lost > 0 && webhooks.repeated > 0 && webhooks.reordered > 0);
  assert.deepEqual(webhooks.answers, { 200: webhooks.delivered }, "each was verified and taken");
  assert.equal(webhooks.delivered, webhooks.made - webhooks.lost + webhooks.repeated);

  // Of the ends of syncs, those alike may count as one, and one that is repeated much later as another.
  const isRecord = ({ record_id }) => Boolean(record_id);
  let events = 0;
  let ends = 0;
  for (const integration of INTEGRATIONS) {
    await worker.confirmed("propexo", integration);
    const all = await worker.events("propexo", integration);
    events += all.filter(isRecord).length;
    ends += all.filter((event) => !isRecord(event)).length;
  }
  assert.equal(events, webhooks.sent_records);
  assert.ok(ends > 0 && ends <= webhooks.delivered - webhooks.sent_records, `${ends} ends of syncs`);

  for (const { model, record_id } of await worker.records("propexo", INTEGRATIONS[0])) {
    const { results } = await control("GET", `truth?model=${model.replaceAll("-", "_")}`);
    assert.ok(
      results.some(({ id }) => id === record_id),
      `${model} ${record_id} is known`,
    );
  }
});
