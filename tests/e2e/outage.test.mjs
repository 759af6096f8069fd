// D1 away for longer than the queue tries: nothing dies, and all arrives without hands.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { diff } from "./support/bodies.mjs";
import { DEAD_QUEUE, RECORDS_QUEUE, serve } from "./support/leasewire.mjs";
import { until } from "./support/wait.mjs";

const AWAY_MS = 65_000;
const PAUSE_MS = 250;
const INTEGRATIONS = ["int_1", "int_2", "int_3"];
/** A probe comes at the latest 150 s after the one before, so long after the outage began. */
const PATIENCE = { ms: 240_000 };
/** With the queue's pauses cut short, its tries end many times over within the outage. */
const QUEUES = {
  [RECORDS_QUEUE]: { retryDelay: 1, maxBatchTimeout: 0 },
  [DEAD_QUEUE]: { retryDelay: 1, maxBatchTimeout: 0 },
};

let worker;
before(async () => {
  worker = await serve({ queues: QUEUES });
});
after(() => worker?.stop());

test("a minute without D1 under load leaves nothing dead, quarantined or missing", async (t) => {
  let n = 0;
  const sent = Object.fromEntries(INTEGRATIONS.map((integration) => [integration, 0]));
  const post = async () => {
    n += 1;
    const integration = INTEGRATIONS[n % INTEGRATIONS.length];
    const answer = await worker.post("propexo", diff(integration, `lease_${n % 20}`, {}, { [`n${n}`]: n }));
    assert.equal(answer.json.status, "accepted");
    sent[integration] += 1;
  };
  for (const _integration of INTEGRATIONS) await post();
  for (const integration of INTEGRATIONS) await worker.confirmed("propexo", integration);
  const tables = ["records", "integrations", "notices"];
  for (const table of tables) {
    await worker.db
      .prepare(
        `CREATE TRIGGER away_${table} BEFORE INSERT ON ${table}
         BEGIN SELECT RAISE(ABORT, 'Network connection lost.'); END`,
      )
      .run();
  }
  const [began, before_n] = [performance.now(), n];
  while (performance.now() - began < AWAY_MS) {
    await post();
    await sleep(PAUSE_MS);
  }
  const behind = n - before_n;
  for (const integration of INTEGRATIONS) {
    const state = await worker.state("propexo", integration);
    assert.deepEqual([state.dead, state.quarantined, state.confirmed_seq], [0, 0, 1]);
  }
  for (const table of tables) await worker.db.exec(`DROP TRIGGER away_${table}`);
  const back = performance.now();
  for (const integration of INTEGRATIONS) {
    const state = await worker.confirmed("propexo", integration, sent[integration], PATIENCE);
    assert.deepEqual([state.last_seq, state.dead, state.quarantined], [sent[integration], 0, 0]);
  }
  const s = (performance.now() - back) / 1_000;
  t.diagnostic(`${behind} events waited; the last arrived ${s.toFixed(1)} s after D1 was back`);
  const fields = async () => {
    const rows = await Promise.all(INTEGRATIONS.map((integration) => worker.records("propexo", integration)));
    return rows.flat().reduce((sum, { fields }) => sum + Object.keys(JSON.parse(fields)).length, 0);
  };
  await until("all fields to be in D1", async () => (await fields()) === n);
  const dead = worker.log.map((line) => JSON.parse(line)).filter(({ message }) => message === "dead pack");
  assert.deepEqual(dead, []);
});
