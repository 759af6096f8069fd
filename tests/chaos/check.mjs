// What must hold at the end of a run. Each check gives a list of violations, each a sentence.

import { isDeepStrictEqual } from "node:util";

import { exact } from "../e2e/support/json.mjs";
import { object } from "./providers.mjs";
import { fold } from "./reference.mjs";

const SHOWN_MAX = 110;

/** How long the same notice is a repetition, where it has nothing of its own. */
const SOON_MS = 600_000;

const short = (text) => (text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text);
const show = ({ ledger, body }) => `the delivery ${short(body)} to ${ledger ?? "no ledger"}`;

/** All violations in what `gather` has read. */
export function check(evidence) {
  const run = { ...evidence, ...indexed(evidence) };
  const checks = [answers, numbers, kept, once, soon, apart, order, rest, records, notices, integrations];
  return checks.flatMap((one) => one(run));
}

/** Facts by body, and where each body was found. */
function indexed({ facts, ledgers }) {
  const places = new Map();
  for (const [ledger, { log }] of Object.entries(ledgers)) {
    for (const { seq, body } of log) {
      if (!places.has(body)) places.set(body, []);
      places.get(body).push({ ledger, seq });
    }
  }
  return { byBody: Map.groupBy(facts, (fact) => fact.body), places };
}

/** Every delivery is answered with 200 in the end, as new once at the most, always with one number. */
function answers({ facts }) {
  return facts.flatMap((fact) => {
    const found = fact.refusals
      .filter((status) => status !== 503)
      .map((status) => `${show(fact)} was answered with ${status}`);
    const words = new Set(fact.answers.map(({ status }) => status));
    const seqs = new Set(fact.answers.map(({ seq }) => seq));
    const news = fact.answers.filter(({ status }) => status !== "duplicate").length;
    const expected = fact.meaning.junk ? "quarantined" : "accepted";
    if (!fact.answers.length) found.push(`${show(fact)} was never answered with 200`);
    // A nameless one can be news again.
    const isOne = !fact.meaning.nameless;
    if (isOne && seqs.size > 1) found.push(`${show(fact)} was given the numbers ${[...seqs].join(", ")}`);
    if (fact.meaning.ping) words.delete("pong");
    else {
      if (isOne && news > 1) found.push(`${show(fact)} was taken for new ${news} times`);
      words.delete("duplicate");
      words.delete(expected);
    }
    if (words.size) found.push(`${show(fact)} was answered with ${[...words].join(", ")}`);
    return found;
  });
}

/** A ledger's numbers begin at 1 and have no gaps, and its times don't go back. */
function numbers({ ledgers }) {
  return Object.entries(ledgers).flatMap(([name, { state, log }]) => {
    const found = [];
    const wrong = log.findIndex(({ seq }, at) => seq !== at + 1);
    if (wrong >= 0) found.push(`${name} has number ${log[wrong].seq} where ${wrong + 1} should be`);
    if (state.last_seq !== log.length) {
      found.push(`${name} has ${log.length} events and gave ${state.last_seq} numbers`);
    }
    const times_ms = log.map(({ received_at }) => Date.parse(received_at));
    const back = times_ms.findIndex((ms, at) => ms < times_ms[at - 1]);
    if (back >= 0) found.push(`${name} received number ${log[back].seq} before the one before it`);
    return found;
  });
}

/** What was answered with a number is in its own ledger under that number. */
function kept({ facts, places }) {
  return facts.flatMap((fact) => {
    if (fact.meaning.ping) return [];
    const found = places.get(fact.body) ?? [];
    const seqs = new Set(fact.answers.map(({ seq }) => seq));
    return [...seqs]
      .filter((seq) => !found.some((place) => place.ledger === fact.ledger && place.seq === seq))
      .map((seq) => `${show(fact)} was answered with ${seq}, but is not there`);
  });
}

/**
 * Every body has as many numbers as there are deliveries of it that are no repetitions, all in one
 * ledger: one, unless a sender meant the same twice.
 */
function once({ byBody, places }) {
  const found = [];
  for (const [body, at] of places) {
    const told = byBody.get(body);
    if (!told) {
      found.push(`${at[0].ledger} has at ${at[0].seq} what nobody sent: ${short(body)}`);
      continue;
    }
    const elsewhere = at.filter(({ ledger }) => ledger !== told[0].ledger);
    for (const { ledger, seq } of elsewhere) found.push(`${show(told[0])} is in ${ledger} at ${seq}`);
    const numbers = at.map(({ seq }) => seq).join(", ");
    // A nameless one can be news again.
    if (at.length > told.length && !told[0].meaning.nameless) {
      found.push(`${show(told[0])}, sent for ${told.length} events, has the numbers ${numbers}`);
    }
  }
  return found;
}

/** What has nothing of its own to be told by is not news again within ten minutes, if nothing came between. */
function soon({ facts, ledgers, places }) {
  const bodies = new Set(facts.filter(({ meaning }) => meaning.nameless).map(({ body }) => body));
  return [...bodies].flatMap((body) => {
    const at = (places.get(body) ?? []).map(({ ledger, seq }) => ({ ledger, ...ledgers[ledger].log[seq - 1] }));
    return at.slice(1).flatMap(({ ledger, seq, received_at }, before) => {
      const ms = Date.parse(received_at) - Date.parse(at[before].received_at);
      const isBetween = seq > at[before].seq + 1;
      return ms >= SOON_MS || isBetween ? [] : [`${ledger} has at ${seq} what it had ${ms} ms before: ${short(body)}`];
    });
  });
}

/** No two deliveries have one number, not even where their bytes are the same, but for the nameless. */
function apart({ facts }) {
  const found = [];
  const holders = new Map();
  for (const fact of facts.filter(({ meaning }) => !meaning.nameless)) {
    for (const seq of new Set(fact.answers.map((answer) => answer.seq))) {
      const name = `${fact.ledger} ${seq}`;
      if (seq !== undefined && holders.has(name)) {
        found.push(`${show(fact)} has number ${seq}, which is also that of ${show(holders.get(name))}`);
      }
      holders.set(name, fact);
    }
  }
  return found;
}

/**
 * What was answered before something else was sent comes before it: so the deliveries of a sender
 * that waits for its answers are in the order of their acceptance.
 */
function order({ facts, ledgers }) {
  return Object.keys(ledgers).flatMap((name) => {
    const found = [];
    const mine = facts.filter(({ ledger, answers, meaning }) => ledger === name && answers.length && !meaning.nameless);
    const answeredAt = (fact) => Math.min(...fact.answers.map(({ answered }) => answered));
    const answered = mine.map((fact) => ({ fact, at: answeredAt(fact) })).sort((a, b) => a.at - b.at);
    let next = 0;
    let before;
    for (const fact of mine.toSorted((a, b) => a.sent - b.sent)) {
      for (; next < answered.length && answered[next].at < fact.sent; next += 1) {
        const candidate = answered[next].fact;
        if (!before || candidate.answers[0].seq > before.answers[0].seq) before = candidate;
      }
      if (before && before.answers[0].seq > fact.answers[0].seq) {
        const [late, early] = [fact.answers[0].seq, before.answers[0].seq];
        found.push(`${show(fact)} has number ${late}, but ${early} was answered before it was sent`);
      }
    }
    return found;
  });
}

/** Nothing is pending, unconfirmed or dead, and what is quarantined was not to be understood. */
function rest({ facts, ledgers }) {
  const names = new Set([...Object.keys(ledgers), ...facts.map(({ ledger }) => ledger).filter(Boolean)]);
  return [...names].flatMap((name) => {
    if (!ledgers[name]) return [`${name} is not in the API's list of integrations`];
    const { state, log } = ledgers[name];
    const junk = new Set(facts.filter(({ meaning }) => meaning.junk).map(({ body }) => body));
    const quarantined = log.filter(({ body }) => junk.has(body)).length;
    const expected = { confirmed_seq: log.length, pending: 0, unconfirmed: 0, dead: 0, quarantined };
    const found = Object.entries(expected)
      .filter(([what, count]) => state[what] !== count)
      .map(([what, count]) => `${name}: ${what} is ${state[what]}, not ${count}`);
    const statuses = log
      .filter(({ status, body }) => status !== (junk.has(body) ? "quarantined" : "confirmed"))
      .map(({ seq, status }) => `${name}: number ${seq} is ${status}`);
    return [...found, ...statuses];
  });
}

/** The history of a ledger with what was meant by each entry. */
const meant = ({ byBody, ledgers }, name) =>
  ledgers[name].log.map((entry) => ({ ...entry, fact: byBody.get(entry.body)?.[0] })).filter(({ fact }) => fact);

/** D1 holds the records of the reference, each exactly, and no others. */
function records(run) {
  const keyOf = (row) => `${row.source}/${row.integration} ${row.model}/${row.record_id}`;
  const rows = new Map(run.records.map((row) => [keyOf(row), row]));
  const found = Object.keys(run.ledgers).flatMap((name) => {
    const { records } = fold(meant(run, name));
    return [...records].flatMap(([record, expected]) => {
      const key = `${name} ${record}`;
      const row = rows.get(key);
      rows.delete(key);
      return row ? differences(key, row, expected) : [`D1 has no record ${key}`];
    });
  });
  return [...found, ...[...rows.keys()].map((key) => `D1 has a record ${key} that nothing tells of`)];
}

function differences(key, row, { fields, version, partial, drifted, time }) {
  const is = { ...row, time: row.occurred_at };
  const drift = Number(drifted.length > 0);
  const expected = { version, partial: Number(partial), drift, time };
  const found = Object.keys(expected)
    .filter((what) => is[what] !== expected[what])
    .map((what) => `D1: ${key}: ${what} is ${is[what]}, not ${expected[what]}`);
  if (!isDeepStrictEqual(exact(row.fields), exact(object(fields)))) {
    found.push(`D1: ${key}: fields are ${short(row.fields)}, not ${short(object(fields))}`);
  }
  return found;
}

/** D1 holds a notice for each time that a unit was occupied or vacated, and no others. */
function notices(run) {
  const found = new Map();
  for (const { source, integration, model, record_id: id, kind, count } of run.notices) {
    const key = `${source}/${integration} ${model}/${id} ${kind}`;
    found.set(key, (found.get(key) ?? 0) + count);
  }
  const wrong = Object.keys(run.ledgers).flatMap((name) =>
    [...fold(meant(run, name)).notices].flatMap(([record, counts]) =>
      Object.entries(counts).flatMap(([kind, count]) => {
        const key = `${name} ${record} ${kind}`;
        const is = found.get(key) ?? 0;
        found.delete(key);
        return is === count ? [] : [`D1 has ${is} notices of ${key}, not ${count}`];
      }),
    ),
  );
  return [...wrong, ...[...found.keys()].map((key) => `D1 has a notice of ${key} that nothing tells of`)];
}

/** D1's list of integrations has the last number and the synchronisations of each. */
function integrations(run) {
  const rows = new Map(run.integrations.map((row) => [`${row.source}/${row.integration}`, row]));
  return Object.keys(run.ledgers).flatMap((name) => {
    const row = rows.get(name);
    if (!row) return [`D1 has no integration ${name}`];
    const { synced } = fold(meant(run, name));
    const is = {
      last_seq: row.last_seq,
      first_synced_at: row.first_synced_at ?? undefined,
      last_synced_at: row.last_synced_at ?? undefined,
    };
    const expected = {
      last_seq: run.ledgers[name].log.length,
      first_synced_at: synced?.first,
      last_synced_at: synced?.last,
    };
    return Object.keys(expected)
      .filter((what) => is[what] !== expected[what])
      .map((what) => `D1: ${name}: ${what} is ${is[what]}, not ${expected[what]}`);
  });
}
