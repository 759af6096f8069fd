// workerd is killed while the connector reads all records of an integration.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { MODELS, MS_MAX, Pair } from "./support/pair.mjs";
import { until } from "./support/wait.mjs";

describe("workerd is killed three times while 5,000 records are read", () => {
  const pair = new Pair();
  before(() => pair.start({ units: 1_600, changes: 1, "quiet-after": 1, speed: 2_000, "backsync-every": 0 }));
  after(() => pair.stop());

  test("all of them are there in the end, and few pages are read twice", async () => {
    const [integration] = pair.integrations;
    const { control } = pair.provider;
    const read = async () => {
      const { walks } = await pair.connector();
      return walks.reduce((sum, { records }) => sum + records, 0);
    };
    await pair.heard(1);
    control.switch({ webhooks: false, life: false, syncs: false });
    for (const records of [500, 1_500, 3_000]) {
      await until(`${records} records to be read`, async () => (await read()) >= records, {
        ms: MS_MAX,
        pause_ms: 5,
      });
      await pair.worker.kill();
      await pair.serve();
    }
    const total = MODELS.reduce((sum, model) => sum + control.truth(model).length, 0);
    assert.ok(total >= 5_000, `${total} records`);
    await pair.converged();
    const events = await pair.worker.events("propexo", integration);
    const ids = events.filter(({ origin }) => origin).map(({ model, record_id }) => `${model}/${record_id}`);
    assert.equal(ids.length, new Set(ids).size, "what is read again is known");
  });
});
