// Everything that the checks look at, read over the API and from D1.

import { inParallel } from "../e2e/support/senders.mjs";
import { until } from "../e2e/support/wait.mjs";

const CONNECTIONS = 16;
const LEDGERS_MAX = 500;
const REST_MS_MAX = 30_000;

const idsOf = (name) => name.split("/");

/**
 * Waits for `ms` at the most until the ledgers that `facts` went to have nothing left to do. A ledger
 * that is asked sends at once what it still has; unless `asks`, it's left to its alarm, and only D1 is
 * looked at until that has all.
 */
export async function settle(worker, facts, { asks, ms }) {
  const end = Date.now() + ms;
  const left_ms = () => Math.max(0, end - Date.now());
  const ledgers = Map.groupBy(
    facts.filter(({ ledger }) => ledger),
    ({ ledger }) => ledger,
  );
  const waits = [...ledgers].map(async ([name, mine]) => {
    const last = Math.max(0, ...mine.flatMap(({ answers }) => answers.map(({ seq }) => seq)));
    const isInD1 = async () => (await seqInD1(worker, name)) >= last;
    if (!asks) await until(`D1 to have ${name}`, isInD1, { ms: left_ms(), pause_ms: 500 });
    await worker.confirmed(...idsOf(name), last, { ms: left_ms(), pause_ms: 200 });
    await until(`D1 to have ${name}`, isInD1, { ms: left_ms() });
  });
  // What doesn't come to rest is for the checks to tell.
  await Promise.allSettled(waits);
}

async function seqInD1(worker, name) {
  const sql = "SELECT last_seq FROM integrations WHERE source = ? AND integration = ?";
  const [row] = await worker.rows(sql, ...idsOf(name));
  return row?.last_seq ?? 0;
}

/** What the gateway knows of the `facts` it was told. */
export async function gather(worker, facts) {
  const answer = await worker.get({ limit: LEDGERS_MAX });
  const listed = answer.json.integrations.map(({ source, integration }) => `${source}/${integration}`);
  const ledgers = {};
  for (const name of listed) {
    const state = await rested(worker, name);
    ledgers[name] = { state, log: await history(worker, name) };
  }
  return {
    facts,
    ledgers,
    records: await worker.rows("SELECT * FROM records"),
    notices: await worker.rows("SELECT * FROM notices"),
    integrations: await worker.rows("SELECT * FROM integrations"),
  };
}

/**
 * A ledger's state. One that nobody asked for ten seconds has left the memory, and with it went what
 * is confirmed: it sends that again, so it must come to rest once more.
 */
async function rested(worker, name) {
  const rest = worker.confirmed(...idsOf(name), 1, { ms: REST_MS_MAX, pause_ms: 200 });
  return rest.catch(() => worker.state(...idsOf(name)));
}

async function history(worker, name) {
  const events = await worker.events(...idsOf(name));
  return inParallel(CONNECTIONS, events.length, async (n) => {
    const { seq, status, received_at } = events[n];
    const { body } = await worker.event(...idsOf(name), seq);
    return { seq, status, received_at, body };
  });
}
