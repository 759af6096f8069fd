// Webhooks that never came: everything is reconciled, and how many there were is counted by the provider's log
// of changes.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { putForward, withClock } from "./support/clock.mjs";
import { MS_MAX, Pair } from "./support/pair.mjs";
import { until } from "./support/wait.mjs";

const HOUR_MS = 3_600_000;
/** Its records are found inside of others alone. */
const PART = "residents_to_leases";

describe("webhooks that are switched off for a day", () => {
  const pair = new Pair();
  const options = { speed: 1, units: 12, changes: 12, "sync-every": 3_600, "backsync-every": 0 };
  before(() => pair.start({ ...options, api: { requests_per_minute: 1_000 }, adjust: withClock }));
  after(() => pair.stop());

  const log = async () => (await pair.connector()).change_logs[0];
  const withheld = () => pair.provider.control.state().webhooks.withheld;
  const requests = () => Object.values(pair.provider.control.state().requests).reduce((sum, count) => sum + count);

  /** Lets an hour pass on both sides, and another; each time all webhooks are sent. */
  async function pass(hours) {
    const { control } = pair.provider;
    for (let hour = 0; hour < hours; hour += 1) {
      await putForward(pair.worker.url, HOUR_MS);
      control.skip(HOUR_MS);
      await until("the webhooks to be sent", () => control.state().webhooks.waiting === 0, { ms: MS_MAX });
      // What a ledger is about to tell its connector, a leap of the clock would take for lost.
      if (control.state().switches.webhooks) await sleep(1_200);
    }
  }

  test("all is reconciled, and what was withheld is counted", async () => {
    const [integration] = pair.integrations;
    const { control } = pair.provider;
    const change = () => {
      for (const model of ["units", "leases", "residents", "properties", "fees"]) control.change({ model, count: 9 });
    };
    await pass(1);
    change();
    await pass(2);
    const events = await pair.worker.events("propexo", integration);
    const told = events.filter(({ record_id, origin }) => record_id && origin !== "api");
    const brought = new Set(told.map(({ model, event }) => `${model} ${event}`));
    assert.ok(brought.size >= 5, [...brought].join());

    control.switch({ webhooks: false });
    for (let hour = 0; hour < 24; hour += 6) {
      change();
      await pass(6);
    }
    // As far as anyone knows, one that was never told of may not be wanted.
    const known = Object.entries(withheld()).filter(([name]) => brought.has(name) && !name.startsWith(PART));
    const expected = known.reduce((sum, [, count]) => sum + count, 0);
    assert.ok(expected > 150, `${expected} were withheld`);

    control.switch({ webhooks: true, life: false });
    await pass(5);
    let last;
    const isCounted = async () => {
      last = await log();
      return last?.lost > 0;
    };
    await until(() => `what was lost to be counted: ${JSON.stringify(last)}`, isCounted, { ms: MS_MAX });
    assert.equal(last.lost, expected);
    assert.equal(last.examples.length, 5);
    for (const { model, record_id } of last.examples) {
      assert.ok(control.truth(model).some(({ id }) => id === record_id));
    }
    const line = pair.worker.log.find((line) => line.includes('"outcome":"lost"'));
    const { level, integration: of } = JSON.parse(line);
    assert.deepEqual([level, of], ["warn", integration]);

    control.switch({ syncs: false });
    await pair.converged();
    const { failures, sources } = await pair.settled();
    assert.deepEqual([failures, sources], [[], []]);
  });

  test("what comes as it should isn't counted", async () => {
    const { control } = pair.provider;
    const before = await log();
    control.switch({ syncs: true, life: true });
    await pass(5);
    let last;
    const isCompared = async () => {
      last = await log();
      return last.compared_at > before.compared_at && last.reading_until === null;
    };
    await until(() => `it to be compared: ${JSON.stringify(last)}`, isCompared, { ms: MS_MAX });
    assert.deepEqual([last.lost, last.last_lost], [before.lost, 0]);
  });

  test("a key without the right to it stops nothing else", async () => {
    const { control } = pair.provider;
    control.set({ "no-admin": true });
    await pass(5);
    const isStopped = async () => (await log()).stopped_until !== null;
    await until("it to stop", isStopped, { ms: MS_MAX });
    const { reason, read_until } = await log();
    assert.equal(reason, "the key may not read the log of changes");
    const asked = requests();
    await pass(2);
    await until("the rest to go on", () => requests() > asked, { ms: MS_MAX });
    assert.equal((await log()).read_until, read_until);
    assert.deepEqual((await pair.connector()).stopped, []);
  });
});
