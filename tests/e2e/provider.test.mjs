// The pretend provider of examples/provider, with its time in the test's hands. It needs no Worker.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";

import { read } from "../../examples/provider/options.mjs";
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
  const none = made({ changes: 600 });
  const some = made({ changes: 600, lose: 0.2, repeat: 0.1, reorder: 0.1 });
  for (const one of [none, some]) await one.pass(2_800);
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

/** A provider whose first syncs are over, and that lives no longer. */
async function settled(options) {
  const provider = made({ integrations: 1, units: 30, limit: 100_000, "sync-every": 3_600, ...options });
  provider.control.switch({ life: false });
  await provider.pass(100);
  const results = (path) => provider.get(path).body.results;
  return { ...provider, results };
}

test("filters by time are inclusive, and pages go through equal times", async () => {
  const provider = await settled({ units: 900 });
  const { results } = provider;
  provider.control.change({ model: "units" });
  provider.control.sync();
  await provider.pass(100);
  const all = provider.control.truth("units");
  const times = all.map(({ updated_at }) => updated_at);
  assert.equal(all.length, 900);
  assert.ok(times.filter((time) => time === times[0]).length >= 300, "many have the same time");
  const since = times.toSorted()[0];
  assert.equal(results(`/v1/units/?updated_at_gte=${since}&limit=250`).length, 250);
  const same = results(`/v1/units/?updated_at_lte=${since}&updated_at_gte=${since}&limit=250`);
  assert.ok(same.length > 0 && same.every(({ updated_at }) => updated_at === since));
  assert.equal(results(`/v1/units/?updated_at_lte=${new Date(Date.parse(since) - 1).toISOString()}`).length, 0);
  assert.equal(results(`/v1/units/?last_seen_lte=${since}&last_seen_gte=${since}&limit=250`).length, same.length);
  const seen = [];
  for (let offset = 0, more = true; more; offset += 250) {
    const { meta, results: page } = provider.get(
      `/v1/units/?order-by=updated_at:asc,id&limit=250&offset=${offset}`,
    ).body;
    seen.push(...page);
    more = meta.hasMore;
    assert.equal(meta.total, 0);
  }
  const expected = all.toSorted((a, b) => (a.updated_at + a.id < b.updated_at + b.id ? -1 : 1));
  assert.deepEqual(seen, expected);
});

test("what the API refuses, and what it is asked in another way", async () => {
  const old = await settled({ "old-api": true, "has-more-null": true });
  for (const path of [
    "/v1/units/?last_seen_gte=2026-01-01",
    "/v1/units/?foo=1",
    "/v1/fees/?integration_id=int_yardi",
  ]) {
    const { status, body } = old.get(path);
    assert.deepEqual([status, body.error.details.issues[0].code], [400, "unrecognized_keys"], path);
  }
  assert.equal(old.get("/v1/units/").body.meta.hasMore, null);
  assert.equal(old.get("/v1/units/?order-by=nothing").status, 400);
  const both = made({ units: 6, "no-admin": true });
  await both.pass(100);
  const { results } = both.get("/v1/fees/").body;
  assert.deepEqual([...new Set(results.map((fee) => fee.integration_id))].sort(), ["int_entrata", "int_yardi"]);
  assert.equal(both.get("/v1/admin/data-diffs/").status, 403);
  assert.equal(both.get("/v1/nothing/").status, 404);
  for (const path of ["/v1/resident-charges/", "/v1/units/details"]) assert.deepEqual(both.get(path).body.results, []);
});

test("reads may be stale, and what is new not there yet", async () => {
  for (const [options, isNewThere] of [
    [{ "read-lag": 30 }, false],
    [{ "new-lag": 30 }, false],
    [{}, true],
  ]) {
    const provider = made({ integrations: 1, units: 60, changes: 600, limit: 100_000, ...options });
    await provider.pass(310);
    const event = await found(provider, "DATA_NEW", "leases");
    const path = `/v1/leases/${event.record_id}`;
    assert.equal(provider.get(path).status, isNewThere ? 200 : 404);
    await provider.pass(60);
    assert.equal(provider.get(path).status, 200);
  }
  const late = await settled({ "read-lag": 30 });
  const [{ id }] = late.control.truth("units");
  const rent = () => late.get(`/v1/units/${id}`).body.results.rent_amount_market_in_cents;
  const was = rent();
  late.control.change({ model: "units" });
  late.control.sync();
  await late.pass(10);
  const { rent_amount_market_in_cents: is } = late.control.truth("units").find((unit) => unit.id === id);
  assert.notEqual(is, was);
  assert.equal(rent(), was, "stale");
  await late.pass(60);
  assert.equal(rent(), is);
});

/** Waits for the first event of a model; gives its data. */
async function found(provider, trigger, model) {
  for (let n = 0; n < 1_000; n += 1) {
    const events = bodies(provider).map((body) => JSON.parse(body));
    const event = events.findLast((event) => event.trigger === trigger && event.data.object === model);
    if (event) return event.data;
    await provider.pass(1);
  }
  return assert.fail(`no ${trigger} of ${model}`);
}

test("parts may move the time of what they are in, and be told of", async () => {
  const provider = await settled({ "parts-touch": true, "tell-parts": true });
  const [lease] = provider.control.truth("leases").filter((lease) => lease.residents_meta_data.length);
  const { system } = provider.integrations[0];
  const join = system.all("residents_to_leases").find((join) => join.lease_id === lease.id);
  join.notice_date = "2026-03-02";
  const resident = system.tables.residents.get(join.resident_id);
  resident.pets = [{ id: "pet_1" }];
  provider.sent.length = 0;
  provider.control.sync();
  await provider.pass(100);
  assert.ok(provider.results(`/v1/leases/${lease.id}`).updated_at > lease.updated_at);
  const told = bodies(provider).map((body) => JSON.parse(body).data?.object);
  assert.deepEqual(told, ["residents", "residents-to-leases", undefined]);
});

test("parts change alone: a lease is another one, and its time and webhooks are still", async () => {
  const provider = await settled();
  const lease = provider.control.truth("leases").find((lease) => lease.residents_meta_data.length);
  const joins = provider.integrations[0].system.all("residents_to_leases");
  joins.find((join) => join.lease_id === lease.id).notice_date = "2026-03-02";
  provider.sent.length = 0;
  provider.control.sync();
  await provider.pass(100);
  const now = provider.results(`/v1/leases/${lease.id}`);
  assert.equal(now.updated_at, lease.updated_at);
  assert.notDeepEqual(now.residents_meta_data, lease.residents_meta_data);
  const told = bodies(provider).map((body) => JSON.parse(body).data?.object);
  assert.deepEqual(told, ["residents-to-leases", undefined]);
});

test("data diffs: of what was lost, and none of what was not", async () => {
  const all = "/v1/admin/data-diffs/?limit=250";
  const diffs = async (options, control) => {
    const provider = await settled(options);
    provider.sent.length = 0;
    provider.control.switch(control ?? {});
    provider.control.change({ model: "units", count: 5 });
    provider.control.sync();
    await provider.pass(100);
    return { sent: provider.sent.length, results: provider.results(all), provider };
  };
  const { sent, results, provider } = await diffs({});
  assert.deepEqual([sent, results.length], [6, 5]);
  const told = new Set(bodies(provider).map((body) => JSON.parse(body).data?.job_id));
  for (const { job_id, event_type, data_diff } of results) {
    assert.ok(told.has(job_id), "webhooks and diffs name the same jobs");
    assert.deepEqual([event_type, Object.keys(data_diff)], ["UPDATE", ["previous", "new"]]);
  }
  const { created_at } = results[0];
  assert.equal(provider.results(`${all}&after=${created_at}`).length > 0, true);
  const lost = await diffs({ lose: 1 });
  assert.deepEqual([lost.sent, lost.results.length], [0, 5]);
  const off = await diffs({}, { webhooks: false });
  assert.deepEqual([off.sent, off.results.length], [0, 5]);
  const none = await diffs({ "lose-diffs": 1 });
  assert.deepEqual([none.sent, none.results.length], [6, 0]);
  const plain = await diffs({ "plain-diffs": true });
  assert.ok(!("previous" in plain.results[0].data_diff));
  assert.ok((await diffs({ "all-diffs": true })).results.length > 30);
});

test("syncs and backsyncs out of turn, and what their ends say", async () => {
  const provider = await settled();
  provider.sent.length = 0;
  provider.control.change({ model: "units" });
  const running = () => provider.results("/v1/admin/integrations/int_yardi/").is_running_sync;
  assert.deepEqual(provider.control.sync({ back: true }), [true]);
  assert.deepEqual([provider.control.sync(), running()], [[false], true]);
  await provider.pass(100);
  assert.equal(running(), false);
  const [only, ...more] = bodies(provider).map((body) => JSON.parse(body));
  assert.deepEqual(more, [], "a backsync is silent");
  assert.deepEqual([only.event, only.is_backsync, only.job_schedule_id], ["SYNC_COMPLETE", true, null]);
  assert.ok(only.is_sync_finished && only.successful_job_count > 0 && only.failed_job_count === 0);
  assert.ok(only.models_synced.includes("residents_to_leases"));
  assert.equal(provider.control.state().is_quiet, true);
});

test("records leave and come back, and a property's jobs fail", async () => {
  const provider = await settled();
  const [near, far] = provider.control.truth("properties").map(({ id }) => id);
  const unseen = (model, since) => {
    const late = provider.control.truth(model).filter(({ last_seen }) => Date.parse(last_seen) < since);
    return late.map(({ id, property_id }) => [id, property_id]);
  };
  const sync = async () => {
    const since = provider.timeline.now;
    provider.control.sync();
    await provider.pass(100);
    return since;
  };
  const ids = provider.control.leave({ model: "leases", count: 2, property: near });
  assert.equal(ids.length, 2);
  assert.equal(new Set([...ids, ...provider.control.leave({ model: "leases", property: near })]).size, 3);
  const left = unseen("leases", await sync());
  assert.deepEqual([left.length, new Set(left.map(([, property]) => property))], [3, new Set([near])]);
  provider.control.return({ ids });
  assert.equal(unseen("leases", await sync()).length, 1);
  provider.control.set({ "fail-property": far });
  const failed = unseen("units", await sync());
  assert.ok(failed.length > 5);
  assert.deepEqual(new Set(failed.map(([, property]) => property)), new Set([far]));
});

test("webhooks can be registered: at first they aren't active", async () => {
  const provider = await settled({ "no-webhook": true });
  const headers = { authorization: "Bearer k" };
  const register = (body) =>
    provider.api.answer({ method: "POST", path: "/v1/webhooks/", headers, body: JSON.stringify(body) });
  const asked = { url: "http://gateway.example/", triggers: ["DATA_NEW"], secret: "0123456789" };
  assert.equal(register({ ...asked, secret: "short" }).status, 400);
  assert.equal(register({ ...asked, triggers: ["NOTHING"] }).status, 400);
  assert.equal(register(asked).status, 200);
  const [hook] = provider.results("/v1/webhooks/");
  assert.deepEqual([hook.active, hook.secret, hook.triggers[0].trigger], [false, asked.secret, "DATA_NEW"]);
});

test("answers break when told to, and mend", async () => {
  const provider = await settled();
  const get = () => provider.get("/v1/units/?limit=2");
  const broken = (kind) => {
    provider.control.mend();
    provider.control.break({ kind, path: "/v1/units/", times: 1 });
    const answer = get();
    assert.equal(get().body.results.length, 2, "only once");
    return answer;
  };
  for (const status of [401, 403, 404, 429, 500, 502, 503]) assert.equal(broken(String(status)).status, status);
  const redirect = broken("redirect");
  assert.deepEqual([redirect.status, URL.canParse(redirect.headers.location)], [302, true]);
  for (const kind of ["text", "cut"]) assert.throws(() => JSON.parse(broken(kind).text), SyntaxError);
  assert.ok(broken("large").text.length > 8 * 1024 * 1024);
  assert.equal(Array.isArray(broken("shape").body.results), false);
  assert.equal(broken("other-id").body.results[0].id, "other_id");
  assert.equal(broken("other-integration").body.results[0].integration_id, "int_other");
  assert.equal(broken("hang").hangs, true);
  assert.throws(() => provider.control.break({ kind: "nothing" }), /kind is one of/);
  provider.control.key(null);
  assert.equal(get().status, 401);
  provider.control.key("another");
  assert.equal(get().status, 401);
  provider.control.key("k");
  assert.equal(get().status, 200);
  provider.control.set({ limit: 10, others: 10 });
  await provider.pass(60);
  assert.equal(get().status, 429);
  const chance = await settled({ "fail-answers": 0.3 });
  const right = Array.from({ length: 300 }, () => chance.get("/v1/units/?limit=2")).filter(
    (answer) => Array.isArray(answer.body?.results) && answer.text === undefined,
  );
  assert.ok(right.length > 150 && right.length < 270, `${right.length} of 300`);
});

test("once it's quiet, the truth doesn't change", async () => {
  const provider = made({ "quiet-after": 1_000, changes: 1_000 });
  const truth = () =>
    ["leases", "units", "residents"].map((model) =>
      provider.control.truth(model).map(({ last_seen, ...rest }) => rest),
    );
  await provider.pass(900);
  assert.equal(provider.control.isQuiet, false);
  await provider.pass(900);
  assert.equal(provider.control.isQuiet, true);
  const then = truth();
  await provider.pass(1_000);
  assert.deepEqual(truth(), then);
});

test("options say what is wrong with them", () => {
  assert.throws(() => read(["--lose", "2"]), /--lose is a number from 0 to 1, not "2"/);
  assert.throws(() => read(["--port", "x"]), /--port is a number from 0 to 65535/);
  assert.throws(() => read(["--envelope", "x"]), /--envelope is one of full, flat, short/);
  assert.throws(() => read(["--nothing"]), /--nothing/);
  assert.equal(read(["--quiet-after", "120"])["quiet-after"], 120);
});

test("jobs may fail, and bodies have other shapes", async () => {
  const told = async (options) => {
    const provider = await settled();
    provider.sent.length = 0;
    provider.control.set(options);
    provider.control.change({ model: "units", count: 1 });
    provider.control.sync();
    await provider.pass(100);
    return { provider, events: bodies(provider).map((body) => JSON.parse(body)) };
  };
  const { provider, events } = await told({ "fail-jobs": 1 });
  assert.equal(provider.control.isQuiet, false, "no sync has seen all");
  assert.equal(events.at(-1).failed_job_count, events.length - 1);
  assert.deepEqual(new Set(events.slice(0, -1).map(({ event }) => event)), new Set(["JOB_FAILURE"]));

  const shaped = async (options) => {
    const provider = await settled(options);
    provider.sent.length = 0;
    for (const join of provider.integrations[0].system.all("residents_to_leases").slice(0, 1)) join.notice_date = "x";
    provider.control.sync();
    await provider.pass(100);
    return JSON.parse(bodies(provider)[0]);
  };
  assert.deepEqual(Object.keys(await shaped({ envelope: "short" })), ["meta", "record_id", "diff"]);
  const flat = await shaped({ envelope: "flat", names: "snake" });
  assert.deepEqual([flat.object, flat.event], ["residents_to_leases", "DATA_UPDATE"]);
  assert.ok(flat.job_id);
});
