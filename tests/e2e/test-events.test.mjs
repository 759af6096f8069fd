// Test events: a deployment is proven end to end without its provider, and without touching what is
// real.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { diff, property } from "./support/bodies.mjs";
import { request } from "./support/http.mjs";
import { serve } from "./support/leasewire.mjs";
import { headers, SECRETS } from "./support/sign.mjs";

const TEST = "leasewire-test";
const EVENTS = {
  propexo: ["DATA_NEW", "DATA_UPDATE", "FIRST_SYNC_COMPLETE", "SYNC_COMPLETE", "JOB_FAILURE", "JOB_SUCCESS"],
  propify: ["DATA_NEW", "DATA_UPDATE"],
  meterbase: ["data.new", "data.update", "sync.complete"],
  "real-estate": ["property.created", "property.sold", "appointment.cancelled", "user.registered"],
};
EVENTS.propexo.push("WRITE_OPERATION_FAILURE", "SOMETHING_NEW");

let worker;
before(async () => {
  worker = await serve({
    adjust({ bindings }) {
      bindings.SOURCES = {
        ...bindings.SOURCES,
        unset: { dialect: "propexo", secret: "NOT_SET" },
        wrong: { dialect: "propexo", secret: "PROPEXO_SECRET", accepted_age_s: 5 },
      };
    },
  });
});
after(() => worker?.stop());

const call = (source, asked) =>
  worker.api("POST", `sources/${source}/test`, typeof asked === "string" ? asked : JSON.stringify(asked));

/** Makes a test event that is let in; gives what was sent and what came back. */
async function made(source, asked) {
  const answer = await call(source, asked);
  assert.equal(answer.status, 200, answer.text);
  const { request, response } = answer.json;
  assert.equal(response.status, 200, answer.text);
  assert.doesNotMatch(answer.text, /development-only/);
  return { request, response: response.body };
}

test("every event of every source is let in as a new one, and what is told of it signs nothing", async () => {
  for (const [source, events] of Object.entries(EVENTS)) {
    let seq = 0;
    for (const event of [undefined, ...events]) {
      for (const payload of [undefined, undefined, { id: "mine", n: 1 }, { id: "mine", n: 1 }]) {
        const { request, response } = await made(source, { event, payload });
        const timestamp = request.headers["x-webhook-timestamp"];
        const signed = headers(source, request.body, { timestamp });
        // The signature is there, and isn't told.
        const name = Object.keys(signed).find((name) => name.endsWith("-signature"));
        assert.deepEqual(request.headers, { "content-type": "application/json", ...signed, [name]: null });
        assert.equal(request.method, "POST");
        assert.equal(request.path, `/webhooks/${source}`);
        seq += 1;
        assert.deepEqual(response, { status: "accepted", seq }, `${source} ${event} ${request.body}`);
      }
    }
    await worker.confirmed(source, TEST, seq);
    const history = await worker.events(source, TEST);
    assert.equal(history.length, seq);
    assert.ok(history.every((entry) => entry.test === true));
  }
  // Nothing else was touched.
  const touched = await worker.rows("SELECT DISTINCT integration FROM integrations");
  assert.deepEqual(touched, [{ integration: TEST }]);
  assert.equal((await worker.mf.listDurableObjectIds("LEDGER", "leasewire")).length, 4);
});

test("its record arrives in the database", async () => {
  const payload = { id: "prop_9", price: 1, owner: { name: "Ä" } };
  const { response } = await made("real-estate", { event: "property.sold", payload });
  await worker.confirmed("real-estate", TEST, response.seq);
  const { json } = await worker.get("real-estate", TEST, "records", "properties", "prop_9");
  assert.deepEqual(json.fields, payload);
  assert.equal(json.version, response.seq);
});

test("a ping is answered as one", async () => {
  assert.deepEqual((await made("meterbase", { event: "test.ping" })).response, { status: "pong" });
});

test("a test event sent again from outside is known, and touches nothing", async () => {
  for (const source of Object.keys(EVENTS)) {
    const { request: sent, response } = await made(source, {});
    const again = await worker.post(source, sent.body);
    assert.deepEqual(again.json, { status: "duplicate", seq: response.seq }, source);
  }
});

test("what is odd is kept as from a provider, and in no other place", async () => {
  const deep = `${"[".repeat(200)}${"]".repeat(200)}`;
  const { response } = await made("propexo", `{"payload":{"a":${deep}}}`);
  assert.equal(response.status, "quarantined");
  const entry = await worker.event("propexo", TEST, response.seq);
  assert.equal(entry.reason, "too_deep");
  assert.equal(entry.test, true);
  // Over the cap once it is wrapped: the front door's answer, within ours.
  const answer = await call("propexo", { payload: { a: "x".repeat((1 << 20) - 100) } });
  assert.equal(answer.status, 200);
  assert.equal(answer.json.response.status, 413);
  assert.equal(answer.json.response.body.status, 413);
  assert.equal((await call("propexo", { payload: { a: "x".repeat(1 << 20) } })).status, 413);
});

test("no request from outside makes itself a test", async () => {
  const body = property("evt_1", { id: "prop_1" });
  const signed = { ...headers("real-estate", body), "x-leasewire-test": "true", origin: "test" };
  const url = `${worker.url}/webhooks/real-estate?test=true&integration=${TEST}`;
  assert.equal((await request(url, { method: "POST", headers: signed, body })).json.status, "accepted");
  await worker.post("propexo", diff("int_1", "lease_1", { a: 1 }, { a: 2 }));
  await worker.confirmed("real-estate", "default");
  await worker.confirmed("propexo", "int_1");
  for (const of of [
    ["real-estate", "default"],
    ["propexo", "int_1"],
  ]) {
    assert.deepEqual(
      (await worker.events(...of)).map((entry) => entry.test),
      [undefined],
    );
  }
});

test("bad requests name what is bad", async () => {
  const bad = {
    body: ["", " ", "null", "[]", '"DATA_NEW"', "{", "event=DATA_NEW"],
    event: ['{"event":5}', '{"event":null}', '{"event":""}', `{"event":"${"x".repeat(257)}"}`],
    payload: ['{"payload":[]}', '{"payload":"x"}', '{"payload":null}'],
    events: ['{"events":"DATA_NEW"}'],
  };
  for (const [name, bodies] of Object.entries(bad)) {
    for (const body of bodies) {
      const answer = await call("propexo", body);
      assert.equal(answer.status, 400, `${body}: ${answer.text}`);
      assert.equal(answer.headers["content-type"], "application/problem+json");
      assert.match(answer.json.detail, new RegExp(`^\`${name}\` `));
    }
  }
  assert.match((await call("propify", { event: "SYNC_COMPLETE" })).json.detail, /^`event` must be `DATA_NEW` or/);
});

test("404, 405, 401 and 503", async () => {
  assert.equal((await call("nobody", {})).status, 404);
  for (const path of ["sources/propexo", "sources/propexo/test/1", "sources//test"]) {
    assert.equal((await worker.api("POST", path, "{}")).status, 404, path);
  }
  for (const method of ["GET", "PUT", "DELETE", "PATCH"]) {
    const answer = await worker.api(method, "sources/propexo/test");
    assert.equal(answer.status, 405);
    assert.equal(answer.headers.allow, "POST");
  }
  const listed = await worker.api("POST", "sources", "{}");
  assert.equal(listed.status, 405);
  assert.equal(listed.headers.allow, "GET, HEAD");
  for (const path of ["sources", "sources/propexo/test", "sources/nobody/test"]) {
    const method = path === "sources" ? "GET" : "POST";
    assert.equal((await request(`${worker.url}/v1/${path}`, { method, body: "{}" })).status, 401);
  }
  const unset = await call("unset", {});
  assert.equal(unset.status, 503);
  assert.match(unset.json.detail, /NOT_SET is missing or empty/);
  const wrong = await call("wrong", {});
  assert.equal(wrong.status, 503);
  assert.match(wrong.json.detail, /`accepted_age_s` has no meaning/);
});

test("the log has a line for each, and no secret", () => {
  const lines = worker.log.map((line) => JSON.parse(line));
  const inner = lines.filter((line) => line.test && line.message === "POST /webhooks/propexo");
  const outer = lines.filter((line) => line.outcome === "tested");
  assert.ok(inner.length > 0 && outer.length > inner.length);
  assert.ok(inner.every((line) => line.integration === TEST || line.status === 413));
  const secrets = Object.values(SECRETS);
  assert.ok(!worker.log.some((line) => secrets.some((secret) => line.includes(secret))));
});
