// What a webhook costs is counted right, and keeps its goals: those that can be seen in a minute. The
// rest, which takes alarms, is for `npm run cost`.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { costOf, goalOf, isMet, PRICES } from "../../bench/lib/cost.mjs";
import { between, count, counts, putForward } from "../../bench/lib/count.mjs";
import { post } from "../../bench/lib/pace.mjs";
import { look, start } from "../../bench/lib/subjects.mjs";
import { busy } from "../../bench/lib/traffic.mjs";
import { RECORDS_QUEUE, serve } from "./support/leasewire.mjs";
import { inRoot } from "./support/paths.mjs";
import { until } from "./support/wait.mjs";

const running = [];
after(() => Promise.all(running.map((worker) => worker.stop())));

async function stopped(starting) {
  const worker = await starting;
  running.push(worker);
  return worker;
}

const changes = (counted) => Object.fromEntries(Object.entries(counted).filter(([, value]) => value !== 0));

test("what a Worker is known to do is counted, no more and no less", async () => {
  const adjust = (options) => {
    options.modules = [{ type: "ESModule", path: inRoot("tests", "e2e", "support", "counted.js") }];
    count(options);
  };
  const worker = await stopped(serve({ adjust, queues: { [RECORDS_QUEUE]: { retryDelay: 0 } } }));
  const doing = async (name, { ms = 0 } = {}) => {
    const before = await counts(worker.url);
    const text = await (await fetch(`${worker.url}/${name}`)).text();
    await sleep(ms);
    const { awake_ms, ...counted } = between(before, await counts(worker.url));
    return { text, awake_ms, counted: changes(counted) };
  };
  const call = { requests: 1, object_requests: 1 };

  const expected = {
    // Two a table, and another for its index.
    schema: { objects_opened: 1, rows_written: 7, history_rows: 7 },
    insert: { rows_written: 20 },
    // Two for the table, three for the view and the trigger, two inserted.
    trigger: { rows_written: 7, history_rows: 5 },
    throughTrigger: { rows_written: 2 },
    plain: { rows_written: 3 },
    nothing: {},
    read: { rows_read: 3 },
    delete: { rows_written: 2, history_rows: 2 },
    drop: {},
    forgotten: {},
  };
  for (const [name, rows] of Object.entries(expected)) {
    const { counted, awake_ms } = await doing(name);
    // Writing reads too; how much is SQLite's affair.
    if (name !== "read") delete counted.rows_read;
    assert.deepEqual(counted, { ...call, ...rows }, name);
    assert.ok(awake_ms < 200, `${name}: awake for ${awake_ms} ms`);
  }
  const alarms = {
    alarmLater: { alarms_set: 1, alarms_due: 1 },
    alarmTakenBack: { alarms_due: -1 },
    alarmTomorrow: { alarms_set: 1 },
    // Instead of tomorrow's, so that none is left.
    alarm: { alarms_set: 1, alarms: 1 },
  };
  for (const [name, expected] of Object.entries(alarms)) {
    assert.deepEqual((await doing(name, { ms: 500 })).counted, { ...call, ...expected }, name);
  }
  assert.equal((await counts(worker.url)).alarms_due, 0);
  for (const name of ["sleep", "after"]) {
    const { awake_ms } = await doing(name, { ms: 500 });
    assert.ok(awake_ms >= 290 && awake_ms < 490, `${name}: awake for ${awake_ms} ms`);
  }
  assert.match((await doing("uncounted")).text, /storage.put is not counted/);
  assert.deepEqual((await doing("log")).counted, { requests: 1, log_lines: 2 });
  assert.equal((await doing("d1")).counted.d1_rows_written, 2);
});

test("the clock can be put forward, and alarms don't wait for it", async () => {
  const [worker] = running;
  const day_ms = 86_400_000;
  await putForward(worker.url, day_ms);
  const now = Number(await (await fetch(`${worker.url}/now`)).text());
  assert.ok(Math.abs(now - day_ms - Date.now()) < 5_000, `${now} is not tomorrow`);
  const before = await counts(worker.url);
  await fetch(`${worker.url}/alarm`);
  await until("the alarm to go off", async () => (await counts(worker.url)).alarms > before.alarms, { ms: 5_000 });
});

test("messages are counted in pieces of 64 KB, retries as further reads", async () => {
  const [worker] = running;
  const before = await counts(worker.url);
  await fetch(`${worker.url}/send`);
  const counted = await until("all messages to be deleted", async () => {
    const so_far = between(before, await counts(worker.url));
    return so_far.queue_deletes === 5 && so_far;
  });
  const { queue_writes, queue_reads, retries, messages } = counted;
  assert.deepEqual(
    { queue_writes, queue_reads, retries, messages },
    { queue_writes: 5, queue_reads: 6, retries: 1, messages: 4 },
  );
});

test("counts become dollars at the prices of the list", () => {
  const { prices } = PRICES;
  const none = { requests: 0, cpu_ms: 0, object_requests: 0, alarms: 0, awake_ms: 0, rows_written: 0, alarms_set: 0 };
  const nothing = { ...none, history_rows: 0, rows_read: 0, queue_writes: 0, queue_reads: 0, queue_deletes: 0 };
  const zero = { ...nothing, d1_rows_written: 0, d1_rows_read: 0, log_lines: 0, consumer_calls: 0 };
  const cost = (some, webhooks = 1) => costOf({ ...zero, ...some }, webhooks).usd;
  assert.equal(cost({}), 0);
  assert.equal(cost({ requests: 10 }, 10), prices.request.usd);
  assert.equal(cost({ rows_written: 4, history_rows: 1 }, 2), 2 * prices.row_written.usd);
  assert.equal(cost({ alarms_set: 1, alarms: 1 }), prices.row_written.usd + prices.object_request.usd);
  assert.equal(
    cost({ queue_writes: 1, queue_reads: 1, queue_deletes: 1 }).toFixed(9),
    (3 * prices.queue_operation.usd).toFixed(9),
  );
  assert.equal(cost({ awake_ms: 1000 }), 0.128 * prices.object_gb_s.usd);
  assert.equal(isMet("401", { usd: 0.1, counts: { object_requests: 1 } }), false, "a 401 never reaches a ledger");
  assert.equal(isMet("busy, created", { usd: goalOf("busy") + 0.01, counts: zero }), false);
});

const EVENTS_PER_S = 50;
const PACKS_PER_S = 4;

/**
 * The cost at 50 webhooks a second, also where the machine was too slow for that: then there were more
 * packs for as many events, and all that is time was longer. A pack is a call, a row of D1 and three
 * operations.
 */
function atPace({ counts, webhooks, ms }) {
  const { messages } = counts;
  assert.ok(messages <= (ms / 1000) * PACKS_PER_S + 2, `${messages} packs in ${ms} ms`);
  assert.equal(counts.queue_writes + counts.queue_reads + counts.queue_deletes, 3 * messages);
  const packs = Math.min(messages, (webhooks / EVENTS_PER_S) * PACKS_PER_S);
  const fewer = messages - packs;
  const reaches = counts.object_requests > 0;
  const paced = {
    ...counts,
    cpu_ms: 0,
    awake_ms: reaches ? (webhooks / EVENTS_PER_S) * 1000 : 0,
    object_requests: counts.object_requests - fewer,
    d1_rows_written: counts.d1_rows_written - fewer,
    queue_writes: packs,
    queue_reads: packs,
    queue_deletes: packs,
  };
  return costOf(paced, webhooks);
}

describe("the goals", { concurrency: true }, () => {
  const subjects = {};
  before(async () => {
    subjects.busy = await stopped(start("ours", { adjust: count }));
    subjects.silent = await stopped(start("ours", { adjust: (options) => count(options, { wakeSooner: 5 }) }));
  });

  test("of a busy integration's events, its duplicates and 401s", async (t) => {
    const cases = await busy(subjects.busy, { seconds: 5, few: 100 }, () => {});
    for (const [name, measured] of Object.entries(cases)) {
      const cost = atPace(measured);
      t.diagnostic(`${name}: $${cost.usd.toFixed(2)} ${JSON.stringify(changes(measured.counts))}`);
      assert.ok(isMet(name, cost), `${name}: $${cost.usd.toFixed(2)} a million, not ${goalOf(name)}`);
    }
    const { counts: duplicates } = cases.duplicate;
    assert.equal(duplicates.rows_written + duplicates.alarms_set + duplicates.d1_rows_written, 0);
    assert.deepEqual(changes({ ...cases[401].counts, cpu_ms: 0 }), { requests: 100, log_lines: 100 });
  });

  // A ledger that lost its memory must know that it is in the list of integrations: else it would say so
  // again, and set its alarm to repeat that, by when it has lost its memory again.
  test("of a silent one: it costs nothing", async () => {
    const url = `http://127.0.0.1:${subjects.silent.port}`;
    await post(subjects.silent, 0, { expected: "accepted" });
    const settled = async () => {
      const { alarms, alarms_set, queue_deletes } = await counts(url);
      return queue_deletes > 0 && alarms > 0 && alarms === alarms_set;
    };
    await until("the last alarm to go off", settled, { ms: 60_000 });
    // That there was a webhook, and its confirmation, is written once.
    const counted = "SELECT accepted = 1 AND confirmation_ms > 0 AS done FROM metrics";
    assert.equal((await look(subjects.silent, counted, [], { ms: 75_000 }))?.done, 1);
    const before = await counts(url);
    // Longer than an alarm takes here, which is longer than an object without calls keeps its memory.
    await sleep(17_000);
    assert.deepEqual(changes(between(before, await counts(url))), {});
  });
});
