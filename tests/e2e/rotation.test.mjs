// Rotating a secret: not one delivery is refused on the way, and the list of sources tells when the
// old one may go.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { diff } from "./support/bodies.mjs";
import { newFolder, removeFolder } from "./support/folders.mjs";
import { request } from "./support/http.mjs";
import { serve } from "./support/leasewire.mjs";
import { inRoot } from "./support/paths.mjs";
import { serving } from "./support/serving.mjs";
import { until } from "./support/wait.mjs";

const SENDERS = 8;
/** Answers to wait for in each stage, at the least. */
const EACH = 40;

/** How the list of sources has the secrets of `source`. */
async function secrets(worker, source) {
  const answer = await worker.api("GET", "sources");
  assert.equal(answer.status, 200, answer.text);
  assert.doesNotMatch(answer.text, /development-only|secret-(old|new)/);
  return answer.json.sources.find(({ name }) => name === source).secrets;
}

const lastUses = async (worker, source) =>
  (await secrets(worker, source)).flatMap(({ values }) => values.map((value) => value.last_used_at));

/** Waits until the last uses are as `expected`, true for one that there is. */
const lastUsesAre = (worker, source, expected) =>
  until(`last uses ${JSON.stringify(expected)}`, async () => {
    const uses = await lastUses(worker, source);
    return JSON.stringify(uses.map((use) => use !== null)) === JSON.stringify(expected) && uses;
  });

/** Sends from many senders until it is told to stop, each delivery until it is answered. */
class Load {
  answers = [];
  secret = Array(SENDERS).fill("secret-old");

  constructor(gateway) {
    this.gateway = gateway;
    this.senders = Array.from({ length: SENDERS }, (_, sender) => this.#send(sender));
  }

  async #send(sender) {
    for (let n = 0; !this.stopped; n += 1) {
      const body = diff("int_1", `lease_${sender}`, { n }, { n: n + 1 });
      const secret = this.secret[sender];
      for (let status; !status; ) {
        try {
          ({ status } = await this.gateway().post("propexo", body, { secret }));
          this.answers.push({ status, secret });
        } catch {
          // Between two deployments nobody listens; a provider comes again.
          await sleep(50);
        }
      }
    }
  }

  /** Waits for that many more answers. */
  async more(count) {
    const goal = this.answers.length + count;
    await until(`${count} more answers`, () => this.answers.length >= goal, { ms: 60_000 });
  }

  async stop() {
    this.stopped = true;
    await Promise.all(this.senders);
  }
}

test("a secret is rotated under load with not one 401", async (t) => {
  const folder = newFolder();
  let worker;
  const log = [];
  const deploy = async (secret) => {
    await worker?.stop();
    worker = await serve({ folder, bindings: { PROPEXO_SECRET: secret } });
    log.push(worker.log);
  };
  t.after(async () => {
    await worker?.stop();
    removeFolder(folder);
  });

  await deploy("secret-old");
  const load = new Load(() => worker);
  await load.more(EACH);
  const [first] = await lastUsesAre(worker, "propexo", [true]);

  await deploy("secret-old\nsecret-new\n");
  await load.more(EACH);
  // The old one's use is its own, and the new one has none yet.
  assert.ok((await lastUsesAre(worker, "propexo", [true, false]))[0] >= first);
  for (let sender = 0; sender < SENDERS; sender += 1) {
    load.secret[sender] = "secret-new";
    await load.more(EACH / SENDERS);
  }
  await load.more(SENDERS);
  const [old, young] = await lastUsesAre(worker, "propexo", [true, true]);
  assert.ok(old < young, `${old} < ${young}`);

  // The other way round the positions change, and the uses go with the values.
  await deploy("secret-new\r\nsecret-old");
  const swapped = await lastUses(worker, "propexo");
  assert.equal(swapped[1], old);
  assert.ok(swapped[0] >= young);
  await load.more(EACH);

  await deploy("secret-new");
  await load.more(EACH);
  await load.stop();
  assert.ok((await lastUsesAre(worker, "propexo", [true]))[0] >= young);

  const statuses = new Set(load.answers.map(({ status }) => status));
  assert.deepEqual([...statuses], [200]);
  assert.equal((await worker.rows("SELECT * FROM secrets_used WHERE source = 'propexo'")).length, 2);
  const positions = log.map((lines) => {
    const used = lines.map((line) => JSON.parse(line)).filter((line) => line.message === "POST /webhooks/propexo");
    return [...new Set(used.map((line) => line.secret))].sort();
  });
  assert.deepEqual(positions, [[1], [1, 2], [1], [1]]);
  t.diagnostic(`${load.answers.length} answers`);
});

test("a secret taken out too early is refused: the check above can fail", async () => {
  const worker = await serving({ bindings: { PROPEXO_SECRET: "secret-new" } });
  const load = new Load(() => worker);
  await load.more(1);
  await load.stop();
  assert.equal(load.answers[0].status, 401);
});

test("neither a refused delivery nor a test event is a use", async () => {
  const worker = await serving();
  const body = diff("int_1", "lease_1", { a: 1 }, { a: 2 });
  assert.equal((await worker.post("propify", body, { secret: "secret-old" })).status, 401);
  assert.equal((await worker.api("POST", "sources/propify/test", "{}")).json.response.status, 200);
  await worker.post("propexo", body);
  await lastUsesAre(worker, "propexo", [true]);
  assert.deepEqual(await worker.rows("SELECT source FROM secrets_used"), [{ source: "propexo" }]);
  assert.deepEqual(await lastUses(worker, "propify"), [null]);
});

test("the list tells of every source, usable or not", async () => {
  const worker = await serving({
    bindings: { METERBASE_SECRET: undefined, SECOND: "a phrase\nb" },
    adjust({ bindings }) {
      const { propexo, meterbase } = bindings.SOURCES;
      const both = { ...propexo, secret: "PROPEXO_SECRET SECOND", default_integration: "main", retention_days: 7 };
      both.models = ["leases", "unit*"];
      bindings.SOURCES = { propexo: both, meterbase, wrong: { ...propexo, dialect: "latin" } };
    },
  });
  const { json } = await worker.api("GET", "sources");
  const unused = (position) => ({ position, last_used_at: null });
  const [meterbase, propexo, wrong] = json.sources;
  assert.equal(json.sources.length, 3);
  const { problem, ...settings } = meterbase;
  assert.match(problem, /the secret METERBASE_SECRET is missing or empty; set it with/);
  assert.deepEqual(settings, {
    name: "meterbase",
    usable: false,
    dialect: "meterbase",
    default_integration: "default",
    accepted_age_s: 172_800,
    dedupe_window_s: 173_100,
    retention_days: 30,
    filters: { models: null, events: null, properties: null },
    secrets: [{ binding: "METERBASE_SECRET", set: false, values: [] }],
  });
  assert.deepEqual(propexo, {
    name: "propexo",
    usable: true,
    dialect: "propexo",
    default_integration: "main",
    accepted_age_s: null,
    dedupe_window_s: 172_800,
    retention_days: 7,
    filters: { models: ["leases", "unit*"], events: null, properties: null },
    secrets: [
      { binding: "PROPEXO_SECRET", set: true, values: [unused(1)] },
      { binding: "SECOND", set: true, values: [unused(2), unused(3)] },
    ],
  });
  assert.deepEqual(Object.keys(wrong), ["name", "usable", "problem"]);
  assert.match(wrong.problem, /unknown dialect; expected one of/);
});

test("a phrase is a secret, and no word of it is one", async () => {
  const phrase = "correct horse a staple";
  const worker = await serving({ bindings: { PROPEXO_SECRET: `  ${phrase} \n` } });
  const body = diff("int_1", "lease_1", { a: 1 }, { a: 2 });
  for (const secret of phrase.split(" "))
    assert.equal((await worker.post("propexo", body, { secret })).status, 401, secret);
  assert.equal((await worker.post("propexo", body, { secret: phrase })).status, 200);
});

test("every line of the API's token lets in, whatever stands around it", async () => {
  const worker = await serving({ bindings: { API_TOKEN: "old-token\r\n new token \n\n" } });
  const status = async (token) => {
    const headers = { authorization: `Bearer ${token}` };
    return (await request(`${worker.url}/v1/sources`, { headers })).status;
  };
  for (const token of ["old-token", "new token"]) assert.equal(await status(token), 200, token);
  for (const token of ["", "old", "new", "token", "old-token new token"]) assert.equal(await status(token), 401, token);
});

test("a secret where a name belongs is in no answer and no line of the log", async () => {
  const values = [
    "whsec_not+a/binding=",
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "f3a9c17d",
    "correct horse a staple",
  ];
  const worker = await serving({
    adjust({ bindings }) {
      const sources = values.map((secret, n) => [`literal-${n}`, { dialect: "propexo", secret }]);
      bindings.SOURCES = Object.fromEntries([...sources, ["swapped", { dialect: values[0], secret: "propexo" }]]);
    },
  });
  const said = [(await worker.api("GET", "sources")).text];
  for (const name of [...values.map((_value, n) => `literal-${n}`), "swapped"]) {
    const body = diff("int_1", "lease_1", { a: 1 }, { a: 2 });
    const taken = await worker.post(name, body, { dialect: "propexo" });
    const tested = await worker.api("POST", `sources/${name}/test`, "{}");
    assert.deepEqual([taken.status, tested.status], [503, 503]);
    assert.match(tested.json.detail, /`secret`|dialect/);
    assert.ok(said[0].includes(`"name":"${name}","usable":false`));
    said.push(taken.text, tested.text);
  }
  await until("the log", () => worker.log.length >= said.length);
  for (const text of [...said, ...worker.log]) {
    for (const value of values) assert.ok(!text.includes(value), text);
    assert.doesNotMatch(text, /horse|staple/);
  }
});

test("two sources with one secret are told, and go on", async () => {
  const worker = await serving({ bindings: { PROPIFY_SECRET: "other\ndevelopment-only-propexo" } });
  const body = diff("int_1", "lease_1", { a: 1 }, { a: 2 });
  for (let n = 0; n < 3; n += 1) assert.equal((await worker.post("propexo", body)).status, 200);
  const { json } = await worker.api("GET", "sources");
  const told = Object.fromEntries(json.sources.map(({ name, usable, problem }) => [name, [usable, problem]]));
  assert.match(told.propexo[1], /^source `propexo`: it shares a secret with source `propify`/);
  assert.match(told.propify[1], /^source `propify`: it shares a secret with source `propexo`/);
  assert.deepEqual(told["real-estate"], [true, undefined]);
  const lines = worker.log.map((line) => JSON.parse(line)).filter(({ level }) => level === "warn");
  assert.deepEqual(
    lines.map(({ source, reason }) => [source, reason]),
    [["propexo", told.propexo[1]]],
  );
});

test("a configuration that is none is told, too", async () => {
  const worker = await serving({
    adjust({ bindings }) {
      bindings.SOURCES = "propexo";
    },
  });
  const { json } = await worker.api("GET", "sources");
  assert.deepEqual(json.sources, []);
  assert.match(json.problem, /^SOURCES is not a table of sources/);
});

const HANGING = `
import worker from "./index.js";
export { Connector, Ledger } from "./index.js";
let attempts = 0;
const DB = { prepare: () => ({ bind: () => ({}) }), batch() { attempts += 1; return new Promise(() => {}); } };
export default {
  fetch(request, env, ctx) {
    if (request.url.endsWith("/attempts")) return Response.json(attempts);
    return worker.fetch(request, { ...env, DB }, ctx);
  },
  queue: (batch, env, ctx) => worker.queue(batch, env, ctx),
};
`;

test("a database that hangs holds no webhook up, and isn't asked again for each", async () => {
  const worker = await serving({
    adjust(options) {
      options.modules.unshift({ type: "ESModule", path: inRoot("build", "hanging.js"), contents: HANGING });
    },
  });
  for (let n = 0; n < 20; n += 1) {
    const body = diff("int_1", "lease_1", { n }, { n: n + 1 });
    // A hung call is given up after 10 s.
    const answer = await worker.post("propexo", body, { ms: 8_000 });
    assert.deepEqual(answer.json, { status: "accepted", seq: n + 1 });
  }
  assert.equal(await (await fetch(`${worker.url}/attempts`)).json(), 1);
});

test("a database that fails is in the log, and the webhook is taken", async () => {
  const worker = await serving();
  await worker.db.exec("DROP TABLE secrets_used");
  const answer = await worker.post("propexo", diff("int_1", "lease_1", { a: 1 }, { a: 2 }));
  assert.deepEqual(answer.json, { status: "accepted", seq: 1 });
  await until("the log to tell", () => {
    const lines = worker.log.map((line) => JSON.parse(line));
    return lines.some(
      ({ message, level, reason }) => message === "use of a secret not noted" && level === "warn" && reason,
    );
  });
  const list = await worker.api("GET", "sources");
  assert.equal(list.status, 503);
});
