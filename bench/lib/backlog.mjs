// How fast a backlog drains. Events are accepted while nothing consumes, so that all of them wait in
// their ledgers, sent and never confirmed. Then workerd starts again on the same state, with
// consumers, and one more webhook for each ledger wakes it: from there on, packs go through the queue
// into D1 until every record is there. Each event is about a record of its own.

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

/** Builds and drains a backlog of `events` of the subject called `name`. */
export async function drain(name, generator, { events, ...accepted }) {
  const folder = newFolder();
  const job = { ...accepted, integrations: INTEGRATIONS, records: events };
  try {
    const waking = { ...job, connections: INTEGRATIONS, from: events - INTEGRATIONS, distinct: INTEGRATIONS };
    await fill(name, folder, generator, { ...job, connections: 32, from: 0, distinct: events - INTEGRATIONS });
    const subject = await start(name, { folder });
    try {
      return await empty(subject, generator, waking, events);
    } finally {
      await subject.stop();
    }
  } finally {
    removeFolder(folder);
  }
}

async function fill(name, folder, generator, job) {
  const subject = await start(name, { folder, consumes: false });
  try {
    await generator.run(subject, job);
    await quiet(subject);
  } finally {
    await subject.stop();
  }
}

async function empty(subject, generator, waking, events) {
  // An alarm of the time before may have gone off already.
  const { count: early } = await look(subject, COUNT);
  const cpuBefore = cpuOf(subject.pid);
  const since = performance.now();
  await generator.run(subject, waking);
  const elapsed_ms = await reach(subject, Math.floor(events * PART), since);
  const whole_ms = await reach(subject, events, since);
  return {
    done: events,
    early,
    elapsed_ms,
    whole_ms,
    per_s: (events * PART - early) / (elapsed_ms / 1000),
    cpu_us_each: ((cpuOf(subject.pid) - cpuBefore) / (events - early)) * 1000,
  };
}

/** Waits for that many records, and gives how long they took. */
async function reach(subject, events, since) {
  const row = await look(subject, DRAINED, [events], { ms: DRAIN_MS_MAX, every_ms: 20 });
  if (row?.done) return performance.now() - since;
  const { count } = await look(subject, COUNT);
  throw new Error(`${subject.title}: after ${DRAIN_MS_MAX / 1000} s, ${count} of ${events} records are in D1`);
}
