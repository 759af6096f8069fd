// A short run of `npm run chaos`; and proof that each of its checks can fail: what was read at the end
// of the run is changed, one thing at a time, and the checks must tell.

import assert from "node:assert/strict";
import { before, describe, test } from "node:test";

import { chaos } from "../chaos/chaos.mjs";
import { check } from "../chaos/check.mjs";

const SEED = 1;
const KILLS = 3;
const RATE = 60;

let evidence, summary;

before(async () => {
  const run = await chaos({ seed: SEED, kills: KILLS, rate: RATE, asks: true });
  ({ evidence, summary } = run);
  assert.deepEqual(run.violations, [], `the state is kept in ${run.folder}`);
});

test(`${KILLS} kills under load lose nothing, double nothing and mix nothing up`, (t) => {
  assert.deepEqual(check(evidence), []);
  assert.ok(summary["calls that D1 refused"] > 0, "D1 was in trouble");
  const { facts } = evidence;
  t.diagnostic(`${facts.length} deliveries to ${Object.keys(evidence.ledgers).length} ledgers`);
  for (const kind of ["change", "notice", "junk", "ping"]) {
    assert.ok(
      facts.some(({ meaning }) => meaning[kind]),
      `there was a ${kind}`,
    );
  }
  const bodies = facts.filter(({ sender }) => sender.endsWith("waits")).map(({ body }) => body);
  assert.ok(new Set(bodies).size < bodies.length, "the same bytes were sent for two events");
  assert.ok(facts.some(({ answers }) => answers.some(({ status }) => status === "duplicate")));
  const nameless = facts.filter(({ meaning }) => meaning.nameless).map(({ body }) => body);
  assert.ok(new Set(nameless).size < nameless.length, "a nameless notice was sent twice");
  const times = facts
    .filter(({ meaning }) => meaning.at && meaning.change)
    .map(({ ledger, meaning }) => [ledger, meaning.model, meaning.id, meaning.at].join(" "));
  assert.ok(new Set(times).size < times.length, "a record changed twice in a second");
  assert.ok(evidence.records.some(({ drift }) => drift) && evidence.records.some(({ partial }) => !partial));
});

/** What is changed, and what the checks must say of it. */
const LIES = {
  "a delivery is missing in the history": [(is) => is.log.splice(4, 1), /number 6 where 5 should be/],
  "a delivery was lost, and its number given to the next": [
    (is) => {
      is.log.splice(4, 1);
      is.log.forEach((entry, at) => {
        entry.seq = at + 1;
      });
      is.state.last_seq -= 1;
      is.state.confirmed_seq -= 1;
    },
    /was answered with 5, but is not there/,
  ],
  "the last delivery was lost": [(is) => is.log.pop(), /events and gave \d+ numbers/],
  "a number was never used": [
    (is) => {
      is.log.at(-1).seq += 1;
    },
    /number (\d+) where/,
  ],
  "an answer had another number": [
    (is) => {
      is.fact.answers[0].seq += 1;
    },
    /but is not there/,
  ],
  "a repetition was answered with another number": [
    (is) => is.fact.answers.push({ ...is.fact.answers[0], status: "duplicate", seq: 1_000_000 }),
    /was given the numbers/,
  ],
  "a repetition was taken for new": [
    (is) => {
      const answer = { ...is.fact.answers[0], status: "accepted" };
      is.fact.answers.push(answer, answer);
    },
    /was taken for new/,
  ],
  "a repetition had an effect": [
    (is) => is.log.push({ ...is.at(is.fact), seq: is.log.length + 1 }),
    /, sent for 1 events, has the numbers \d+, \d+/,
  ],
  "a notice was taken for news again": [
    (is) => {
      const { log } = is.ledgers[is.nameless.ledger];
      for (const _time of [1, 2]) log.push({ ...log[is.nameless.answers[0].seq - 1], seq: log.length + 1 });
    },
    /what it had 0 ms before/,
  ],
  "a delivery is in another ledger, too": [
    (is) => is.other.log.push({ ...is.at(is.fact), seq: is.other.log.length + 1 }),
    /is in propexo\/int_2 at/,
  ],
  "two events were taken for one": [
    (is) => {
      is.toggles[1].answers = is.toggles[0].answers;
    },
    /which is also that of/,
  ],
  "there is something that nobody sent": [
    (is) => {
      is.log[4].body += " ";
    },
    /what nobody sent/,
  ],
  "a delivery was never answered": [
    (is) => {
      is.fact.answers = [];
    },
    /was never answered with 200/,
  ],
  "a delivery was answered with 500": [(is) => is.fact.refusals.push(500), /was answered with 500/],
  "a delivery was not understood": [
    (is) => {
      is.fact.answers[0].status = "quarantined";
    },
    /was answered with quarantined/,
  ],
  "two deliveries changed places": [
    (is) => {
      const [a, b] = is.waiting;
      const { seq } = a.answers[0];
      for (const answer of a.answers) answer.seq = b.answers[0].seq;
      for (const answer of b.answers) answer.seq = seq;
      [is.at(a).body, is.at(b).body] = [is.at(b).body, is.at(a).body];
    },
    /was answered before it was sent/,
  ],
  "an event was received before the one before it": [
    (is) => {
      is.log[4].received_at = "2001-01-01T00:00:00Z";
    },
    /received number 5 before/,
  ],
  "something is pending": [
    (is) => {
      is.state.pending = 1;
    },
    /pending is 1, not 0/,
  ],
  "something is unconfirmed": [
    (is) => {
      is.state.unconfirmed = 1;
    },
    /unconfirmed is 1, not 0/,
  ],
  "something is dead": [
    (is) => {
      is.state.dead = 1;
    },
    /dead is 1, not 0/,
  ],
  "the watermark stays behind": [
    (is) => {
      is.state.confirmed_seq -= 1;
    },
    /confirmed_seq is/,
  ],
  "something is quarantined": [
    (is) => {
      is.state.quarantined += 1;
    },
    /quarantined is/,
  ],
  "the history has something on its way": [
    (is) => {
      is.log[4].status = "sent";
    },
    /number 5 is sent/,
  ],
  "the list has no such integration": [
    (is) => {
      delete is.ledgers["meterbase/con_1"];
    },
    /meterbase\/con_1 is not in the API's list/,
  ],
  "a record is missing": [(is) => is.records.shift(), /D1 has no record/],
  "a record is of nothing": [(is) => is.records.push({ ...is.records[0], record_id: "x" }), /that nothing tells of/],
  "a record has another version": [
    (is) => {
      is.records[0].version -= 1;
    },
    /version is/,
  ],
  "a record has another value": [
    (is) => {
      const row = is.records.find(({ fields }) => fields.includes('"n":'));
      row.fields = row.fields.replace('"n":', '"n":1');
    },
    /fields are/,
  ],
  "a number lost its text": [
    (is) => {
      const row = is.records.find(({ fields }) => fields.includes("750000.0"));
      row.fields = row.fields.replace("750000.0", "750000");
    },
    /fields are/,
  ],
  "a record drifts": [
    (is) => {
      is.records[0].drift = 1 - is.records[0].drift;
    },
    /drift is/,
  ],
  "a record is whole": [
    (is) => {
      is.records[0].partial = 1 - is.records[0].partial;
    },
    /partial is/,
  ],
  "a record is of another time": [
    (is) => {
      is.records[0].occurred_at = "2001-01-01T00:00:00Z";
    },
    /time is/,
  ],
  "a notice is missing": [(is) => is.notices.shift(), /D1 has \d+ notices of/],
  "a notice came twice": [(is) => is.notices.push({ ...is.notices[0], seq: 1_000_000 }), /D1 has \d+ notices of/],
  "a notice is of nothing": [
    (is) => is.notices.push({ ...is.notices[0], record_id: "x" }),
    /a notice of .* that nothing tells of/,
  ],
  "D1 has no such integration": [(is) => is.integrations.shift(), /D1 has no integration/],
  "D1 has another last number": [
    (is) => {
      is.integrations[0].last_seq -= 1;
    },
    /last_seq is/,
  ],
  "a synchronisation is forgotten": [
    (is) => {
      is.integrations.find((row) => row.last_synced_at).last_synced_at = null;
    },
    /last_synced_at is undefined/,
  ],
};

describe("the checks can fail", () => {
  for (const [what, [lie, expected]] of Object.entries(LIES)) {
    test(what, () => {
      const copy = structuredClone(evidence);
      lie(parts(copy));
      assert.match(check(copy).join("\n"), expected);
    });
  }
});

/** What there is to lie about. */
function parts(copy) {
  const name = "propexo/int_1";
  const { state, log } = copy.ledgers[name];
  const about = copy.facts.filter(({ ledger, meaning }) => ledger === name && meaning.change);
  const fact = about.find(({ body }) => body.includes("job_id"));
  const waiting = about.filter(({ sender }) => sender === `${name}/waits`);
  const same = Map.groupBy(waiting, ({ body }) => body);
  const toggles = [...same.values()].find((facts) => facts.length > 1);
  const at = ({ answers }) => log[answers[0].seq - 1];
  const nameless = copy.facts.find(({ meaning }) => meaning.nameless);
  return { ...copy, nameless, state, log, fact, waiting, toggles, at, other: copy.ledgers["propexo/int_2"] };
}
