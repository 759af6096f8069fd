// The API's description is true to every route and every answer.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { startProvider } from "../../examples/provider/server.mjs";
import { run, step } from "../../scripts/lib/command.mjs";
import { schemathesis } from "../../scripts/lib/tools.mjs";
import { diff } from "./support/bodies.mjs";
import { Description } from "./support/description.mjs";
import { serveEverything } from "./support/everything.mjs";
import { newFolder, removeFolder } from "./support/folders.mjs";
import { request } from "./support/http.mjs";
import { serve } from "./support/leasewire.mjs";
import { inRoot } from "./support/paths.mjs";
import { SECRETS } from "./support/sign.mjs";
import { tool } from "./support/tools.mjs";
import { until } from "./support/wait.mjs";

const BODY_BYTES_MAX = 1 << 20;
const COMMAND_BYTES_MAX = 64 * 1024;

const written = readFileSync(inRoot("src", "api", "openapi.json"), "utf8");
const document = JSON.parse(written);
const description = new Description(document);

/** The path of an operation, about something that there is. */
const filled = (path) => {
  const source = path.endsWith("/subscriptions") ? "registered" : "propexo";
  const values = { source, integration: "int_1", model: "leases", record_id: "lease_9", seq: 1 };
  return path.replace(/\{(\w+)\}/g, (_name, name) => values[name]);
};

let worker;
let closed; // without a token
let provider;
before(async () => {
  provider = await startProvider({ port: 0, key: SECRETS.API_TOKEN, secret: "another secret", integrations: 1 });
  const api = { kind: "propexo", url: provider.url, key: "API_TOKEN" };
  const sources = {
    // Nobody listens there.
    propexo: {
      dialect: "propexo",
      secret: "PROPEXO_SECRET",
      api: { kind: "propexo", url: "http://127.0.0.1:9", key: "API_TOKEN", hydrate: ["leases", "applicant_pets"] },
    },
    // A pretend provider listens there.
    registered: { dialect: "propexo", secret: "PROPEXO_SECRET", api },
    short: { dialect: "propexo", secret: "SHORT", api },
    refused: { dialect: "propexo", secret: "PROPEXO_SECRET", api: { ...api, key: "SHORT" } },
    unset: { dialect: "propexo", secret: "NOT_SET" },
    wrong: { dialect: "propify", secret: "PROPIFY_SECRET", accepted_age_s: 60 },
  };
  worker = await serveEverything(sources, { SHORT: "123456789" });
  closed = await serve({ bindings: { API_TOKEN: undefined } });
});
after(() => Promise.all([worker?.stop(), closed?.stop(), provider?.stop()]));

/** Asks with the token, and compares the answer with the description. */
async function ask(status, method, path, { body, token = SECRETS.API_TOKEN, on = worker, ...more } = {}) {
  const headers = token ? { authorization: `Bearer ${token}`, ...more.headers } : more.headers;
  const answer = await request(on.url + path, { method, headers, body });
  assert.equal(answer.status, status, `${method} ${path}: ${answer.text}`);
  description.check(method, path, answer);
  return answer;
}

/** Posts a webhook, and compares the answer with the description. */
async function post(status, source, body, options) {
  const answer = await worker.post(source, body, options);
  assert.equal(answer.status, status, answer.text);
  description.check("POST", `/webhooks/${source}`, answer);
  return answer;
}

test("it is served to all, as it is written", async () => {
  const answer = await ask(200, "GET", "/openapi.json", { token: null });
  assert.ok(answer.text === written, "it isn't what src/api/openapi.json has: `npm run build`");
  assert.equal(answer.headers["content-type"], "application/json");
});

test("its examples are as it says", () => {
  assert.ok(description.checkExamples() >= 20);
});

describe("answers are as described", () => {
  test("to webhooks", async () => {
    const body = diff("int_new", "lease_1", {}, { a: 1 });
    const status = async (...args) => (await post(200, ...args)).json.status;
    assert.equal(await status("propexo", body), "accepted");
    assert.equal(await status("propexo", body), "duplicate");
    assert.equal(await status("propexo", "not JSON"), "quarantined");
    const other = diff("int_new", "lease_1", {}, { property_id: "prop_2" });
    assert.equal(await status("linked", other, { dialect: "propexo" }), "ignored");
    const ping = { event: "test.ping", timestamp: new Date().toISOString(), data: {} };
    assert.equal(await status("meterbase", JSON.stringify(ping)), "pong");
    await post(401, "propexo", body, { secret: "another" });
    await post(404, "nobody", body, { dialect: "propexo" });
    await post(413, "propexo", Buffer.alloc(BODY_BYTES_MAX + 1, " "));
    await post(503, "unset", body, { dialect: "propexo" });
    await post(503, "wrong", body, { dialect: "propify" });
    await worker.confirmed("propexo", "int_new");
  });

  test("to questions about all there is", async () => {
    const { integrations } = (await ask(200, "GET", "/v1/integrations")).json;
    assert.ok(integrations.length >= 10);
    const statuses = new Set();
    const kinds = new Set();
    for (const { source, integration } of integrations) {
      const path = `/v1/integrations/${source}/${integration}`;
      await ask(200, "GET", path);
      for (const list of ["unlinked", "quarantine", "dead", "notices"]) await ask(200, "GET", `${path}/${list}`);
      const { events } = (await ask(200, "GET", `${path}/events`)).json;
      for (const { seq, status, kind } of events) {
        statuses.add(status);
        kinds.add(kind);
        await ask(200, "GET", `${path}/events/${seq}`);
      }
      for (const model of ["leases", "units", "properties", "nothing"]) {
        const { records } = (await ask(200, "GET", `${path}/records/${model}`)).json;
        for (const record of records) await ask(200, "GET", `${path}/records/${model}/${record.record_id}`);
      }
    }
    for (const status of ["confirmed", "dead", "quarantined", "ignored"]) assert.ok(statuses.has(status), status);
    assert.ok(kinds.size >= 7, [...kinds].join());
    await ask(200, "GET", "/v1/sources");
    await ask(200, "GET", "/metrics");
    await ask(200, "GET", "/healthz", { token: null });
  });

  test("to questions by the page", async () => {
    const lists = description.operations.filter(({ parameters }) =>
      parameters?.some(({ $ref }) => $ref?.endsWith("/limit")),
    );
    assert.ok(lists.length >= 6);
    const of = { "/unlinked": "linked/int_1", "/dead": "propexo/int_dead", "/notices": "meterbase/conn_1" };
    for (const { path } of lists) {
      const end = Object.keys(of).find((end) => path.endsWith(end));
      let next = "";
      let pages = 0;
      do {
        const at = filled(end ? path.replace("{source}/{integration}", of[end]) : path);
        const after = next ? `&after=${encodeURIComponent(next)}` : "";
        next = (await ask(200, "GET", `${at}?limit=1${after}`)).json.next;
        pages += 1;
      } while (next !== null && pages < 3);
      // Of leases and quarantined events int_1 has one.
      if (!/records|quarantine/.test(path)) assert.ok(pages > 1, path);
      for (const query of ["limit=0", "limit=501", "limit=x"]) await ask(400, "GET", `${filled(path)}?${query}`);
    }
    await ask(400, "GET", "/v1/integrations/propexo/int_1/events/x");
    await ask(400, "GET", "/v1/integrations?after=x");
  });

  test("to commands", async () => {
    const integration = "/v1/integrations/propexo/int_1";
    await ask(202, "POST", `${integration}/replay`, { body: '{"from":1,"to":8,"models":["leases"],"events":null}' });
    await ask(202, "POST", "/v1/integrations/propexo/int_dead/redrive", { body: '{"from":2}' });
    await ask(202, "POST", "/v1/integrations/propexo/int_dead/redrive");
    await ask(202, "POST", `${integration}/rebuild`);
    const source = "/v1/sources/propexo/redrive";
    await ask(202, "POST", `${source}?limit=1&after=int_1`, { body: "{}" });
    await ask(202, "POST", source);
    await ask(400, "POST", `${source}?limit=0`);
    await ask(400, "POST", source, { body: '{"from":1}' });
    await ask(404, "POST", "/v1/sources/nobody/redrive");
    await ask(413, "POST", source, { body: Buffer.alloc(COMMAND_BYTES_MAX + 1, " ") });
    const bad = ["{}", "[]", "{", '{"from":0,"to":1}', '{"from":2,"to":1}', '{"from":1,"to":1,"x":1}'];
    for (const body of bad.slice(1)) {
      for (const command of ["replay", "redrive"]) await ask(400, "POST", `${integration}/${command}`, { body });
    }
    for (const body of [bad[0], '{"from":1,"to":9999}', '{"from":1,"to":1,"models":[]}']) {
      await ask(400, "POST", `${integration}/replay`, { body });
    }
    const large = Buffer.alloc(COMMAND_BYTES_MAX + 1, " ");
    for (const command of ["replay", "redrive", "rebuild"]) {
      const refused = await ask(413, "POST", `${integration}/${command}`, { body: large });
      assert.match(refused.json.detail, /at most 65536 bytes/);
      await ask(404, "POST", `/v1/integrations/propexo/nobody/${command}`, { body: '{"from":1,"to":1}' });
    }
  });

  test("to a discard", async () => {
    const path = (integration) => `/v1/integrations/propexo/${integration}/discard`;
    const body = '{"status":"quarantined","all":true}';
    await ask(202, "POST", path("int_new"), { body });
    await ask(404, "POST", path("nobody"), { body });
    for (const wrong of ["", "[]", '{"status":"confirmed","all":true}']) {
      await ask(400, "POST", path("int_new"), { body: wrong });
    }
    await ask(413, "POST", path("int_new"), { body: Buffer.alloc(COMMAND_BYTES_MAX + 1, " ") });
  });

  test("to what is asked of a provider", async () => {
    const of = (source) => `/v1/integrations/${source}/int_1`;
    const hydrate = (source) => `${of(source)}/records/leases/lease_9/hydrate`;
    const asked = await ask(202, "POST", `${of("propexo")}/backfill`, { body: '{"models":["lease"]}' });
    assert.deepEqual(asked.json, { models: ["leases"] });
    assert.deepEqual((await ask(202, "POST", hydrate("propexo"))).json, { asked: true });
    const part = `${of("propexo")}/records/applicant_pets/pet_1/hydrate`;
    assert.deepEqual((await ask(202, "POST", part)).json, { asked: false });
    await until("it to have failed", async () => {
      const { json } = await ask(200, "GET", `${of("propexo")}/connector`);
      return json.owed.records && json.walks.length && json.sources[0]?.failures && json.unreachable.length === 1;
    });
    const large = Buffer.alloc(COMMAND_BYTES_MAX + 1, " ");
    for (const path of [(source) => `${of(source)}/backfill`, hydrate]) {
      for (const body of ["[]", '{"x":1}']) await ask(400, "POST", path("propexo"), { body });
      await ask(413, "POST", path("propexo"), { body: large });
      // One without an API, and none.
      for (const source of ["propify", "nobody"]) await ask(404, "POST", path(source));
    }
    for (const source of ["propify", "nobody"]) await ask(404, "GET", `${of(source)}/connector`);
  });

  test("to what is registered at a provider", async () => {
    const path = (source) => `/v1/sources/${source}/subscriptions`;
    const before = (await ask(200, "GET", path("registered"))).json;
    assert.deepEqual([before.complete, before.own, before.foreign], [false, [], 1]);
    const made = (await ask(200, "POST", path("registered"), { body: '{"models":["leases"],"events":null}' })).json;
    assert.deepEqual([made.complete, made.changed, made.foreign], [true, 2, 1]);
    for (const method of ["GET", "POST"]) {
      for (const source of ["propify", "nobody"]) await ask(404, method, path(source));
      await ask(409, method, path("registered"), { headers: { host: "gateway.example" } });
      await ask(502, method, path("refused"));
      // Nobody listens there; one without a secret.
      for (const source of ["propexo", "unset"]) await ask(503, method, path(source));
    }
    await ask(409, "POST", path("short"));
    await ask(400, "GET", `${path("registered")}?url=http://elsewhere.example`);
    for (const body of ["[]", '{"x":1}', '{"events":["NOTHING"]}', '{"url":"ftp://x"}']) {
      await ask(400, "POST", path("registered"), { body });
    }
    await ask(413, "POST", path("registered"), { body: Buffer.alloc(COMMAND_BYTES_MAX + 1, " ") });
  });

  test("to test events", async () => {
    for (const source of ["propexo", "propify", "meterbase", "real-estate", "linked"]) {
      await ask(200, "POST", `/v1/sources/${source}/test`, { body: "{}" });
    }
    const payload = { a: "x".repeat(BODY_BYTES_MAX - 100) };
    const refused = await ask(200, "POST", "/v1/sources/propexo/test", { body: JSON.stringify({ payload }) });
    assert.equal(refused.json.response.status, 413);
    for (const body of ["[]", '{"event":1}', '{"x":1}']) await ask(400, "POST", "/v1/sources/propexo/test", { body });
    await ask(404, "POST", "/v1/sources/nobody/test", { body: "{}" });
    await ask(413, "POST", "/v1/sources/propexo/test", { body: Buffer.alloc(BODY_BYTES_MAX + 1, " ") });
    for (const source of ["unset", "wrong"]) await ask(503, "POST", `/v1/sources/${source}/test`, { body: "{}" });
  });

  test("to who has the answer already", async () => {
    for (const path of ["/openapi.json", "/v1/integrations/propexo/int_1/records/leases/lease_9"]) {
      const { headers, text } = await ask(200, "GET", path);
      const known = { "if-none-match": `"another", W/${headers.etag}` };
      const again = await ask(304, "GET", path, { headers: known });
      assert.equal(again.headers.etag, headers.etag);
      assert.equal((await ask(200, "GET", path, { headers: { "if-none-match": '"another"' } })).text, text);
    }
  });

  test("to HEAD as to GET, without a body", async () => {
    for (const { path, method, security } of description.operations) {
      if (method !== "get") continue;
      for (const token of [SECRETS.API_TOKEN, "another"]) {
        const authorization = { authorization: `Bearer ${token}` };
        const [got, headed] = await Promise.all(
          ["GET", "HEAD"].map((method) => request(worker.url + filled(path), { method, headers: authorization })),
        );
        const status = security || token === SECRETS.API_TOKEN ? 200 : 401;
        assert.deepEqual([got.status, headed.status], [status, status], path);
        assert.equal(headed.text, "");
        const names = ["content-type", "cache-control", "x-content-type-options", "www-authenticate", "etag"];
        for (const name of names) assert.equal(headed.headers[name], got.headers[name], `${path} ${name}`);
      }
    }
  });

  test("to who has no token, where there is none, and to other methods", async () => {
    for (const { path, method, security } of description.operations) {
      const at = filled(path);
      const same = description.operations.filter((one) => one.path === path);
      const methods = same.map(({ method }) => method.toUpperCase());
      if (!security) {
        await ask(401, method.toUpperCase(), at, { token: null });
        await ask(401, "DELETE", at, { token: "another" });
        await ask(503, method.toUpperCase(), at, { on: closed });
      }
      for (const other of ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]) {
        if (methods.includes(other)) continue;
        const { headers } = await ask(405, other, at);
        assert.equal(headers.allow, methods.map((one) => (one === "GET" ? "GET, HEAD" : one)).join(", "), at);
      }
    }
  });

  test("to questions about what there isn't", async () => {
    const lists = [
      "",
      "/events",
      "/events/1",
      "/unlinked",
      "/quarantine",
      "/dead",
      "/notices",
      "/records/leases",
      "/records/leases/lease_9",
    ];
    for (const list of lists) await ask(404, "GET", `/v1/integrations/propexo/nobody${list}`);
    await ask(404, "GET", "/v1/integrations/propexo/int_1/events/999");
    // Not UTF-8.
    await ask(404, "GET", "/v1/integrations/propexo/int_1/records/%FF");
    await ask(404, "POST", "/webhooks/%FF", { token: null });
  });

  test("to questions while the database is down", async () => {
    const tables = ["integrations", "records", "secrets_used", "notices", "metrics"];
    for (const table of tables) await worker.db.exec(`ALTER TABLE ${table} RENAME TO no_${table}`);
    const ofDatabase = /sources$|integrations$|records|notices|metrics/;
    for (const { path, method, security } of description.operations) {
      if (method !== "get" || security) continue;
      // What the ledgers know doesn't depend on it.
      const { json } = await ask(ofDatabase.test(path) ? 503 : 200, "GET", filled(path));
      if (ofDatabase.test(path)) assert.equal(json.type, "urn:leasewire:problem:database-unavailable", path);
    }
    for (const command of ["replay", "redrive"]) {
      await ask(202, "POST", `/v1/integrations/propexo/int_1/${command}`, { body: '{"from":1,"to":1}' });
      await ask(404, "POST", `/v1/integrations/propexo/nobody/${command}`, { body: '{"from":1,"to":1}' });
    }
    await ask(503, "POST", "/v1/sources/propexo/redrive");
    for (const list of ["", "/events", "/events/1", "/unlinked", "/quarantine", "/dead"]) {
      await ask(404, "GET", `/v1/integrations/propexo/nobody${list}`);
    }
    for (const table of tables) await worker.db.exec(`ALTER TABLE no_${table} RENAME TO ${table}`);
  });

  test("and every answer that is described was seen", () => {
    const described = description.operations.flatMap(({ path, method, responses }) =>
      Object.keys(responses)
        // That of the method's own: another one's is the same.
        .filter((status) => status !== "405")
        .map((status) => `${method.toUpperCase()} ${path} ${status}`),
    );
    // Only where the wasm has ended, which no request can bring about; and a body of half a minute,
    // which has a test of its own.
    const ended = ["GET /healthz 503", "GET /openapi.json 503"];
    const isElsewhere = (name) => ended.includes(name) || name.endsWith(" 408");
    const unseen = described.filter((name) => !description.seen.has(name) && !isElsewhere(name));
    assert.deepEqual(unseen, []);
  });
});

test("an answer that isn't as described is found", async () => {
  const path = "/v1/integrations/propexo/int_1";
  const answer = await worker.get("propexo", "int_1");
  const { headers, json } = answer;
  const changed = (json, more) => ({ status: 200, headers, json, text: JSON.stringify(json), ...more });
  const { pending, ...less } = json;
  const wrong = {
    "a field less": changed(less),
    "a field more": changed({ ...json, more: 1 }),
    "another type": changed({ ...json, pending: String(pending) }),
    "a number out of range": changed({ ...json, pending: -1 }),
    "no time": changed({ ...json, last_event_at: "yesterday" }),
    "a status": changed(json, { status: 201 }),
    "a content type": changed(json, { headers: { ...headers, "content-type": "text/plain" } }),
    "a cache's leave": changed(json, { headers: { ...headers, "cache-control": "public" } }),
  };
  description.check("GET", path, changed(json));
  for (const [what, answer] of Object.entries(wrong)) {
    assert.throws(() => description.check("GET", path, answer), what);
  }
  const refused = await request(worker.url + path);
  const { "www-authenticate": _gone, ...others } = refused.headers;
  const headless = { ...refused, headers: others, text: refused.text, json: refused.json };
  assert.throws(() => description.check("GET", path, headless), /has no www-authenticate/);
});

describe("schemathesis", () => {
  const folder = newFolder();
  after(() => removeFolder(folder));

  /** Runs it on a gateway that has everything; gives what it says. */
  async function finds(t, ...args) {
    const found = await tool(t, schemathesis);
    if (!found) return;
    const here = inRoot("tests", "e2e", "support", "schemathesis");
    const env = { ...SECRETS, SCHEMATHESIS_HOOKS: join(here, "hooks.py"), HYPOTHESIS_STORAGE_DIRECTORY: folder };
    const options = ["--config-file", join(here, "schemathesis.toml"), "run", "--no-color"];
    return run(found.python, [...found.args, ...options, ...args], { quiet: true, env });
  }

  test("finds nothing", async (t) => {
    const served = inRoot("src", "api", "openapi.json");
    let said;
    await step("Looking for faults with schemathesis", async () => {
      said = await finds(t, served, "--url", worker.url);
      return said?.match(/\d+ generated.*/)?.[0];
    });
    if (!said) return;
    assert.match(said, /(\d+) generated, \1 passed/);
    const count = description.operations.length;
    assert.match(said, new RegExp(`${count} selected / ${count} total`));
  });

  test("would find a field that isn't described", async (t) => {
    const wrong = structuredClone(document);
    const { State } = wrong.components.schemas;
    delete State.properties.pending;
    // It would take one that is only required for described.
    State.required = State.required.filter((name) => name !== "pending");
    const path = join(folder, "openapi.json");
    writeFileSync(path, JSON.stringify(wrong));
    const only = ["--include-operation-id", "getIntegration", "--phases", "fuzzing"];
    const finding = finds(t, path, "--url", worker.url, ...only);
    if (await tool(t, schemathesis)) await assert.rejects(finding, /Response violates schema/);
  });
});
