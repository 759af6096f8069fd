// How fast a backlog drains. Events are accepted while nothing consumes, so that all of them wait in
// their ledgers, sent and never confirmed. Then workerd starts on a copy of that state, with
// consumers, and one more webhook for each ledger wakes it: from there on, packs go through the queue
// into D1 until every record is there. Each event is about a record of its own.

import { cpSync } from "node:fs";

import { loseAlarms } from "./alarms.mjs";
import { cpuOf, quiet } from "./generator.mjs";
import { look, newFolder, removeFolder, start } from "./subjects.mjs";

const INTEGRATIONS = 16;
const DRAIN_MS_MAX = 240_000;

/**
 * The part that is timed. The last packs don't fill a batch, and wait for the consumer's timeout: a
 * second of nothing, by the queue's settings and the same for every subject.
 */
const PART = 0.95;

const COUNT = "SELECT count(*) AS count FROM records";
// Counting all of them is left for when there may be enough.
const DRAINED = `SELECT CASE WHEN (SELECT sum(last_seq) FROM integrations) >= ?1
                         THEN (SELECT count(*) FROM records) >= ?1 END AS done`;

const jobOf = ({ events, ...accepted }) => ({ ...accepted, integrations: INTEGRATIONS, records: events });

/** Folders with a backlog, by subject and length. They go with this process. */
const folders = new Map();

/** A folder with a backlog of `events` of the subject called `name`, made the first time it is asked for. */
export async function filled(name, generator, { events, ...accepted }) {
  const key = `${name} ${events}`;
  if (folders.has(key)) return folders.get(key);
  const folder = newFolder();
  const subject = await start(name, { folder, consumes: false });
  try {
    await generator.run(subject, {
      ...jobOf({ events, ...accepted }),
      connections: 32,
      from: 0,
      distinct: events - INTEGRATIONS,
    });
    await quiet(subject);
  } finally {
    await subject.stop();
  }
  // One that is due would begin before the clock does.
  loseAlarms(folder);
  folders.set(key, folder);
  return folder;
}

/** Drains a copy of the backlog in `full`. */
export async function drain(name, generator, full, { events, ...accepted }) {
  const folder = newFolder();
  try {
    cpSync(full, folder, { recursive: true });
    const subject = await start(name, { folder });
    try {
      await quiet(subject);
      const waking = { connections: INTEGRATIONS, from: events - INTEGRATIONS, distinct: INTEGRATIONS };
      return await empty(subject, generator, { ...jobOf({ events, ...accepted }), ...waking }, events);
    } finally {
      await subject.stop();
    }
  } finally {
    removeFolder(folder);
  }
}

async function empty(subject, generator, waking, events) {
  const cpuBefore = cpuOf(subject.pid);
  const since = performance.now();
  await generator.run(subject, waking);
  const elapsed_ms = await reach(subject, Math.floor(events * PART), since);
  const whole_ms = await reach(subject, events, since);
  return {
    done: events,
    elapsed_ms,
    whole_ms,
    per_s: (events * PART) / (elapsed_ms / 1000),
    cpu_us_each: ((cpuOf(subject.pid) - cpuBefore) / events) * 1000,
  };
}

/** Waits for that many records, and gives how long they took. */
async function reach(subject, events, since) {
  const row = await look(subject, DRAINED, [events], { ms: DRAIN_MS_MAX, every_ms: 20 });
  if (row?.done) return performance.now() - since;
  const { count } = await look(subject, COUNT);
  throw new Error(`${subject.title}: after ${DRAIN_MS_MAX / 1000} s, ${count} of ${events} records are in D1`);
}
