// Every golden request that is accepted, from the wire to its row in D1 and back out of the API.
//
// Each fixture is about the first event of an empty ledger, so each gets a source of its own. What
// carries no time goes out byte for byte as it is in its file, signature included. Where a time is
// signed, it is moved to today and signed again.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { after, before, test } from "node:test";

import { request } from "./support/http.mjs";
import { exact } from "./support/json.mjs";
import { serve } from "./support/leasewire.mjs";
import { inRoot } from "./support/paths.mjs";
import { headers } from "./support/sign.mjs";

const DIALECTS = ["propexo", "propify", "meterbase", "real-estate"];

const fixtures = DIALECTS.flatMap((dialect) =>
  readdirSync(inRoot("tests", "fixtures", dialect))
    .filter((file) => file.endsWith(".json"))
    .sort()
    .map((file, index) => {
      const text = readFileSync(inRoot("tests", "fixtures", dialect, file), "utf8");
      return { ...JSON.parse(text), exactly: exact(text).expect, dialect, source: `${dialect}-${index}` };
    }),
).filter(({ expect, name }) => {
  // Those a second inside a limit want a clock that stands still: the native tests have one.
  return ["accepted", "quarantined", "pong"].includes(expect.status) && !name.includes("-just-");
});

const secretName = (source) => source.toUpperCase().replaceAll("-", "_");

let worker;
/** What was sent and answered, by source. All go out at once: packs wait a second in the queue. */
const sent = new Map();

before(async () => {
  const sources = fixtures.map(({ source, dialect }) => [source, { dialect, secret: secretName(source) }]);
  const secrets = fixtures.map(({ source, secret }) => [secretName(source), secret]);
  worker = await serve({
    bindings: { SOURCES: Object.fromEntries(sources), ...Object.fromEntries(secrets) },
  });
  await Promise.all(
    fixtures.map(async (fixture) => {
      const prepared = prepare(fixture);
      sent.set(fixture.source, { ...prepared, answer: await send(fixture.source, prepared) });
    }),
  );
});
after(() => worker?.stop());

/** Moves a time in any of the forms that are signed by `shift_ms`, whole seconds, in the same form. */
function moved(text, shift_ms) {
  if (/^\d{1,11}$/.test(text)) return String(Number(text) + shift_ms / 1000);
  if (/^\d+$/.test(text)) return String(Number(text) + shift_ms);
  const [, fraction = "", offset] = text.match(/([.,]\d+)?(Z|[+-]\d\d:?\d\d)$/);
  const local_ms = Date.parse(`${text.slice(0, 19)}Z`) + shift_ms;
  return new Date(local_ms).toISOString().slice(0, 19) + fraction + offset;
}

/** The request of a fixture as it can be sent today. */
function prepare(fixture) {
  const { dialect, secret } = fixture;
  const body = fixture.body === undefined ? Buffer.from(fixture.body_base64, "base64") : fixture.body;
  const shift_ms = Math.floor((Date.now() - Date.parse(fixture.now)) / 1000) * 1000;
  if (dialect === "real-estate") {
    const timestamp = moved(fixture.headers["x-webhook-timestamp"], shift_ms);
    return { body, headers: headers(dialect, body, { secret, timestamp }), shift_ms: 0 };
  }
  if (dialect === "meterbase" && /"timestamp":/.test(body)) {
    const today = body.replace(/("timestamp":\s*")([^"]*)/, (_all, name, time) => name + moved(time, shift_ms));
    const [[name, was]] = Object.entries(fixture.headers);
    const fresh = headers(dialect, today, { secret })[name];
    // In the style of the original, which may be upper case or within white space.
    const digits = /[0-9a-fA-F]{64}/;
    const [hex] = fresh.match(digits);
    const styled = was.replace(digits, (old) => (old === old.toUpperCase() ? hex.toUpperCase() : hex));
    return { body: today, headers: { [name]: styled }, shift_ms };
  }
  return { body, headers: fixture.headers, shift_ms: 0 };
}

const send = (source, { body, headers }) =>
  request(`${worker.url}/webhooks/${source}`, { method: "POST", headers, body });

const instant = (text, shift_ms = 0) => new Date(Date.parse(text) + shift_ms).toISOString();

for (const fixture of fixtures) {
  const { dialect, source, name, expect, exactly } = fixture;
  const integration = expect.integration ?? "default";

  const checks = {
    async accepted({ answer, ...prepared }) {
      assert.equal(answer.status, 200, answer.text);
      assert.equal(answer.headers["content-type"], "application/json");
      assert.equal(answer.text, '{"status":"accepted","seq":1}');
      const state = await worker.confirmed(source, integration);
      const event = await worker.event(source, integration, 1);
      assert.equal(event.status, "confirmed");
      assert.equal(event.event, expect.event);
      assert.equal(event.model, expect.model);
      assert.equal(event.record_id, expect.record_id);
      assert.equal(event.body, prepared.body, "the raw body is kept as it was received");
      assert.equal(event.bytes, Buffer.byteLength(prepared.body));
      const { cloudevent } = exact(event.text);
      assert.equal(cloudevent.type, expect.type);
      assert.equal(cloudevent.source, `/${source}/${encodeURIComponent(integration)}`);
      assert.equal(cloudevent.sequence, "00000000000000000001");
      const time = expect.time ? instant(expect.time, prepared.shift_ms) : instant(event.received_at);
      assert.equal(instant(cloudevent.time), time);
      if (expect.record_id === null) {
        assert.deepEqual(await worker.records(source, integration), []);
        assert.equal(cloudevent.subject, undefined);
      } else {
        assert.equal(cloudevent.subject, `${expect.model}/${expect.record_id}`);
        assert.equal(cloudevent.partitionkey, cloudevent.subject);
        assert.deepEqual(cloudevent.data.record, exactly.record);
        assert.deepEqual(cloudevent.data.changes, exactly.changes);
        await isInD1(cloudevent, time);
      }
      await syncTimes(state, time);
    },

    async quarantined({ answer, ...prepared }) {
      assert.equal(answer.status, 200, answer.text);
      assert.equal(answer.text, '{"status":"quarantined","seq":1}');
      await worker.confirmed(source, integration);
      const event = await worker.event(source, integration, 1);
      assert.equal(event.status, "quarantined");
      assert.equal(event.cloudevent, null);
      assert.deepEqual(Buffer.from(event.body, event.body_encoding), Buffer.from(prepared.body));
      assert.deepEqual(await worker.records(source, integration), []);
      assert.equal((await send(source, prepared)).text, '{"status":"duplicate","seq":1}');
    },

    async pong({ answer }) {
      assert.equal(answer.text, '{"status":"pong"}');
      const listed = await worker.rows("SELECT * FROM integrations WHERE source = ?", source);
      assert.deepEqual(listed, [], "a ping leaves nothing behind");
      assert.equal((await worker.get(source, "default")).status, 404);
    },
  };

  async function isInD1({ data }, time) {
    const [row, ...others] = await worker.records(source, integration);
    assert.deepEqual(others, []);
    assert.equal(row.model, expect.model);
    assert.equal(row.record_id, expect.record_id);
    assert.deepEqual(exact(row.fields), exactly.record);
    assert.equal(row.version, 1);
    const whole = dialect === "meterbase" || dialect === "real-estate";
    assert.equal(row.partial, whole ? 0 : 1);
    assert.equal(row.drift, 0);
    assert.equal(instant(row.occurred_at), time);
    assert.equal(data.partial, !whole);
    const answer = await worker.get(source, integration, "records", row.model, row.record_id);
    assert.equal(answer.status, 200, answer.text);
    assert.deepEqual(exact(answer.text).fields, exactly.record);
    const { partial, drift, version } = answer.json;
    assert.deepEqual({ partial, drift, version }, { partial: !whole, drift: false, version: 1 });
    const list = await worker.get(source, integration, "records", row.model);
    assert.deepEqual(exact(list.text).records, [exact(answer.text)]);
  }

  async function syncTimes(state, time) {
    const isSync = expect.type.startsWith("leasewire.sync.");
    const finished = isSync && !/"is_sync_finished":\s*false/.test(fixture.body);
    const expected = finished ? time : undefined;
    const [row] = await worker.rows("SELECT * FROM integrations WHERE source = ?", source);
    for (const has of [state, row]) {
      assert.equal(has.last_seq, 1);
      const { first_synced_at: first, last_synced_at: last } = has;
      assert.equal(first ? instant(first) : undefined, expected);
      assert.equal(last ? instant(last) : undefined, expected);
    }
  }

  test(`${dialect}: ${name}: ${expect.status}`, () => checks[expect.status](sent.get(source)));
}
