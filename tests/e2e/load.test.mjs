// Many connections at once, over many integrations.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { diff, unit } from "./support/bodies.mjs";
import { serve } from "./support/leasewire.mjs";
import { inParallel } from "./support/senders.mjs";

const SENDERS = 32;
const INTEGRATIONS = 16;
const EVENTS = 3_200;
const RECORDS = 40; // per integration

let worker;
before(async () => {
  worker = await serve();
});
after(() => worker?.stop());

test(`${EVENTS} events over ${SENDERS} connections to ${INTEGRATIONS} integrations`, async (t) => {
  const since = performance.now();
  const sent = await inParallel(SENDERS, EVENTS, async (n, via) => {
    const integration = `int_${n % INTEGRATIONS}`;
    const source = n % 2 ? "meterbase" : "propexo";
    const record = `r_${Math.floor(n / INTEGRATIONS) % RECORDS}`;
    const body =
      source === "propexo" ? diff(integration, record, {}, { [`f${n}`]: n }) : unit(integration, { id: record, n });
    const answer = await worker.post(source, body, { via });
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.json.status, "accepted", body);
    return { source, integration, record, n, body, seq: answer.json.seq };
  });
  t.diagnostic(`${Math.round((EVENTS / (performance.now() - since)) * 1000)} events a second`);

  const ledgers = Map.groupBy(sent, ({ source, integration }) => `${source} ${integration}`);
  assert.equal(ledgers.size, INTEGRATIONS);
  for (const [name, events] of ledgers) {
    const [source, integration] = name.split(" ");
    const expected = Array.from({ length: events.length }, (_item, n) => n + 1);
    assert.deepEqual(
      events.map((event) => event.seq).sort((a, b) => a - b),
      expected,
      name,
    );
    const state = await worker.confirmed(source, integration, events.length, { ms: 30_000 });
    assert.deepEqual([state.last_seq, state.dead, state.quarantined], [events.length, 0, 0]);
    const listed = await worker.events(source, integration);
    assert.deepEqual(
      listed.map((event) => event.seq),
      expected,
    );

    const rows = await worker.records(source, integration);
    const byRecord = Map.groupBy(events, (event) => event.record);
    assert.equal(rows.length, byRecord.size);
    for (const row of rows) {
      const about = byRecord.get(row.record_id).sort((a, b) => a.seq - b.seq);
      if (source === "propexo") {
        assert.equal(row.version, about.at(-1).seq);
        assert.deepEqual(JSON.parse(row.fields), Object.fromEntries(about.map(({ n }) => [`f${n}`, n])));
      } else {
        const winner = about.find((event) => event.seq === row.version);
        assert.equal(JSON.parse(row.fields).n, winner.n);
      }
    }
  }
});
