// The traffic whose cost is counted. Time is real: an integration's alarm goes off about once a
// minute, so an integration is watched for longer than that, and many usual ones at once.

import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

import { SECRETS } from "./bodies.mjs";
import { costOf } from "./cost.mjs";
import { between, counts, putForward } from "./count.mjs";
import { cpuOf } from "./generator.mjs";
import { atRandom, every, send } from "./pace.mjs";

const BUSY_PER_S = 50;
const USUAL_PAUSE_MS = 10_000;
const USUAL_INTEGRATIONS = 60;
/** A minute, and a quarter at random: from one alarm to the next. */
const ALARM_MS = 75_000;

const DAY_MS = 24 * 3_600_000;

/** More than a run has of anything. */
const MANY = 10_000_000;

/** What `send` calls the one integration of a busy subject. */
const BUSY_INTEGRATION = "/v1/integrations/propexo/int_0";
const REPLAY_MS_MAX = 300_000;

const urlOf = ({ port }) => `http://127.0.0.1:${port}`;

async function look(subject) {
  const counted = await counts(urlOf(subject));
  return { ...counted, cpu_ms: existsSync(`/proc/${subject.pid}`) ? cpuOf(subject.pid) : 0 };
}

/** What was counted while `work` ran, which gives how many webhooks there were. */
async function counted(subject, work) {
  const since = Date.now();
  const before = await look(subject);
  const webhooks = await work();
  const counts = between(before, await look(subject));
  if (counts.requests !== webhooks) throw new Error(`${webhooks} webhooks were sent, but ${counts.requests} counted`);
  return { ...costOf(counts, webhooks), ms: Date.now() - since };
}

/** Waits until all that was sent was confirmed: nothing is on its way, twice in a row. */
async function settled(subject) {
  for (let quiet = 0, last = ""; quiet < 2; ) {
    await sleep(700);
    const { rows_written, queue_writes, queue_deletes, object_requests } = await look(subject);
    const now = [rows_written, object_requests].join();
    quiet = queue_writes <= queue_deletes && now === last ? quiet + 1 : 0;
    last = now;
  }
}

/** Waits until no alarm is due soon, but not for ever; gives whether there is none. */
async function withoutAlarms(subject) {
  const end = Date.now() + 3 * ALARM_MS;
  while (Date.now() < end) {
    const { alarms_due } = await look(subject);
    if (alarms_due === 0) return true;
    // To look takes time too, which is counted.
    await sleep(3_000);
  }
  return false;
}

/** Of several tries the first in which no alarm of earlier events went off. */
async function withoutAlarm(measure) {
  for (;;) {
    const result = await measure();
    if (result.counts.alarms === 0) return result;
  }
}

/** One integration with 50 events a second; `few` of them are sent to warm up, and of each cheaper kind. */
export async function busy(subject, { seconds, few = 1_000 }, tell) {
  const events = seconds * BUSY_PER_S;
  const base = { pause_ms: every(1000 / BUSY_PER_S), integrations: 1, expected: "accepted" };
  const created = { ...base, size: "created", records: MANY };
  const updated = { ...base, records: 1_000, from: MANY };
  const duplicates = { ...updated, expected: "duplicate", count: few };
  const phase = (title, spec) => {
    tell(title);
    return counted(subject, async () => {
      const sent = await send(subject, spec);
      await settled(subject);
      return sent;
    });
  };
  await phase("warming up", { ...created, count: few });
  return {
    "busy, created": await phase("busy, created", { ...created, from: few, count: events }),
    "busy, updated": await phase("busy, updated", { ...updated, count: events }),
    duplicate: await withoutAlarm(() => phase("duplicates", { ...duplicates, from: MANY + events - few })),
    401: await withoutAlarm(() => phase("401s", { ...base, expected: 401, count: few })),
  };
}

/** All events of the integration that `busy` had, `expected` at the least, read and forwarded again. */
export async function replayed(subject, { expected }, tell) {
  tell("replay");
  const headers = { authorization: `Bearer ${SECRETS.API_TOKEN}` };
  const ask = async (path, body) => {
    const options = { headers, method: body ? "POST" : "GET", body: body && JSON.stringify(body) };
    const answer = await fetch(`${urlOf(subject)}${BUSY_INTEGRATION}${path}`, options);
    if (!answer.ok) throw new Error(`${path || "the state"}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  };
  const { last_seq: to } = await ask("");
  if (to < expected) throw new Error(`${to} events are there to be replayed, not ${expected}`);
  const before = await look(subject);
  await ask("/replay", { from: 1, to });
  const end = Date.now() + REPLAY_MS_MAX;
  for (let state; !state?.replay.ended_at; ) {
    if (Date.now() > end) throw new Error(`the replay of ${to} events goes on: ${JSON.stringify(state.replay)}`);
    // Seldom, since each look is a call, and counted.
    await sleep(5_000);
    state = await ask("");
  }
  await settled(subject);
  return { replayed: costOf(between(before, await look(subject)), to) };
}

/**
 * The same integration while its history goes: after each of some rounds the clock is put forward, so
 * that what the round before brought is older than it's kept. In the rounds that are counted, as much
 * goes as comes.
 */
export async function aging(subject, { seconds, days, rounds = 3 }, tell) {
  const events = seconds * BUSY_PER_S;
  const spec = { pause_ms: every(1000 / BUSY_PER_S), integrations: 1, records: 1_000, expected: "accepted" };
  const round = async (number) => {
    tell(`history, round ${number}`);
    await putForward(urlOf(subject), days * DAY_MS);
    const sent = await send(subject, { ...spec, from: number * events, count: events });
    await settled(subject);
    return sent;
  };
  await round(0);
  const cost = await counted(subject, async () => {
    let sent = 0;
    for (let number = 1; number <= rounds; number += 1) sent += await round(number);
    return sent;
  });
  return { "busy, history going": cost };
}

const KINDS = {
  created: { size: "created", records: MANY },
  updated: { records: 3 },
};

/**
 * 60 integrations with an event every 10 seconds each, first for as long as it takes until each had an
 * alarm, then counted for two of them.
 */
export async function usual(subject, { kind, random = false, cycles = 2 }, tell) {
  const spec = { ...KINDS[kind], integrations: USUAL_INTEGRATIONS, expected: "accepted" };
  const start = Date.now();
  const counting = start + 2 * ALARM_MS;
  const end = counting + cycles * ALARM_MS;
  const sent = Array.from({ length: USUAL_INTEGRATIONS }, async (_item, at) => {
    // Evenly, so that alarms don't go off together.
    await sleep((at * ALARM_MS) / USUAL_INTEGRATIONS);
    const pause_ms = (random ? atRandom : every)(USUAL_PAUSE_MS);
    return send(subject, { ...spec, until: end, pause_ms, number: (n) => n * USUAL_INTEGRATIONS + at });
  });
  const all = Promise.all(sent);
  const window = async () => {
    tell("usual, before it's counted");
    await sleep(counting - Date.now());
    const before = await look(subject);
    tell("usual");
    await sleep(end - Date.now());
    const counts = between(before, await look(subject));
    return costOf(counts, counts.requests);
  };
  const [result, numbers] = await Promise.all([window(), all]);
  return { result, numbers };
}

/** Long enough for an object without a call to lose its memory. */
const ASLEEP_MS = 30_000;
const MONTH_MS = 30 * DAY_MS;

/**
 * What a month of silence costs each of the integrations that `usual` had, once the last alarms went
 * off. Ledgers whose alarms don't end are not waited for: then that's what silence costs.
 */
export async function silence(subject, tell) {
  tell("waiting for the last alarms");
  await settled(subject);
  await withoutAlarms(subject);
  tell("silent");
  const before = await look(subject);
  await sleep(ASLEEP_MS);
  const counts = { ...between(before, await look(subject)), cpu_ms: 0 };
  return costOf(counts, (1_000_000 * USUAL_INTEGRATIONS * ASLEEP_MS) / MONTH_MS);
}

/**
 * One webhook for each of the integrations that `usual` had, whose ledgers sleep, with all that follows.
 * It is a new event, or repeats the last of the `numbers` that each had.
 */
export async function awakened(subject, { kind, numbers, expected }, tell) {
  tell(`asleep, ${expected}`);
  const next = (at) => numbers[at] - (expected === "duplicate" ? 1 : 0);
  const number = (at) => next(at) * USUAL_INTEGRATIONS + at;
  const spec = { ...KINDS[kind], integrations: USUAL_INTEGRATIONS, expected, pause_ms: every(20), number };
  let ended;
  const cost = await counted(subject, async () => {
    const sent = await send(subject, { ...spec, count: USUAL_INTEGRATIONS });
    await settled(subject);
    ended = await withoutAlarms(subject);
    return sent;
  });
  return { ...cost, ended };
}
