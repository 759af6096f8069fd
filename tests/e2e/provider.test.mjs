// The pretend provider of examples/provider, with its time in the test's hands. It needs no Worker.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";

import { provide } from "../../examples/provider/provider.mjs";
import { Timeline } from "../../examples/provider/timeline.mjs";

const BEGAN = Date.parse("2026-03-02T08:00:00Z");
const SECRET = "a secret for tests";

/** A provider, and what it sent; `status` is what the gateway answers. */
function made(options, status = 200) {
  const sent = [];
  const timeline = new Timeline(BEGAN);
  const post = async (_url, { headers, body }) => sent.push({ headers, body, at: timeline.now }) && status;
  const provider = provide({ timeline, options: { secret: SECRET, key: "k", speed: 1, ...options }, post });
  const pass = async (seconds) => {
    for (let n = 0; n < seconds; n += 1) {
      timeline.runUntil(timeline.now + 1_000);
      await turn();
    }
  };
  const get = (path, headers = { authorization: "Bearer k" }) => provider.api.answer({ path, headers });
  return { ...provider, timeline, sent, pass, get };
}

const bodies = ({ sent }) => sent.map(({ body }) => body);

test("the same seed is the same world, another one another", async () => {
  const [a, b, c] = [made({ seed: 7 }), made({ seed: 7 }), made({ seed: 8 })];
  for (const one of [a, b, c]) await one.pass(1_500);
  assert.ok(a.sent.length > 50);
  assert.deepEqual(bodies(a), bodies(b));
  assert.notDeepEqual(bodies(a), bodies(c));
});

test("each body is signed, and a first sync is silent", async () => {
  const provider = made();
  await provider.pass(290);
  assert.deepEqual(
    bodies(provider).map((body) => JSON.parse(body).event),
    ["FIRST_SYNC_COMPLETE", "FIRST_SYNC_COMPLETE"],
  );
  await provider.pass(600);
  const triggers = new Set(bodies(provider).map((body) => JSON.parse(body).trigger ?? JSON.parse(body).event));
  for (const trigger of ["DATA_NEW", "DATA_UPDATE", "SYNC_COMPLETE"]) assert.ok(triggers.has(trigger), trigger);
  for (const { headers, body } of provider.sent) {
    assert.equal(headers["propexo-signature"], createHmac("sha256", SECRET).update(body).digest("hex"));
  }
});

test("what isn't answered with a 2xx comes again, ten times, every 15 minutes", async () => {
  const provider = made({ integrations: 1, changes: 0.001 }, 503);
  await provider.pass(200);
  const [{ body, at }] = provider.sent;
  await provider.pass(3 * 3_600);
  const tries = provider.sent.filter((one) => one.body === body).map((one) => one.at - at);
  assert.deepEqual(
    tries,
    Array.from({ length: 11 }, (_, n) => n * 900_000),
  );
});

test("webhooks are lost, repeated and late as often as asked", async () => {
  const none = made();
  const some = made({ lose: 0.2, repeat: 0.1, reorder: 0.1 });
  for (const one of [none, some]) await one.pass(10_000);
  const { made: all, lost, repeated, reordered } = some.webhooks.counts;
  assert.equal(none.sent.length, none.webhooks.counts.made);
  assert.ok(all > 800);
  for (const [count, share] of [
    [lost, 0.2],
    [repeated, 0.09],
    [reordered, 0.09],
  ]) {
    assert.ok(Math.abs(count / all - share) < 0.04, `${count} of ${all}, not ${share}`);
  }
});

test("keys, parameters and the limit", async () => {
  const provider = made();
  await provider.pass(290);
  assert.equal(provider.get("/v1/leases/", {}).status, 401);
  const unknown = provider.get("/v1/leases/?foo=1");
  assert.equal(unknown.status, 400);
  assert.deepEqual(unknown.body.error.details.issues[0].keys, ["foo"]);
  assert.equal(provider.get("/v1/leases/?limit=251").status, 400);
  await provider.pass(60);
  const answers = Array.from({ length: 151 }, () => provider.get("/v1/leases/?limit=1"));
  assert.deepEqual([answers[118].delay_ms, answers[119].delay_ms], [0, 2_000]);
  assert.deepEqual([answers[149].status, answers[150].status], [200, 429]);
  await provider.pass(60);
  assert.equal(provider.get("/v1/leases/?limit=1").headers["x-ratelimit-remaining"], "149");
  assert.equal(made({ "old-api": true }).get("/v1/leases/?updated_at_gte=2026-01-01").status, 400);
});
