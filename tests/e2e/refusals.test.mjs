// What doesn't get in: the answer says so, and nothing is kept.

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, describe, test } from "node:test";

import { diff, property, unit } from "./support/bodies.mjs";
import { request } from "./support/http.mjs";
import { serve } from "./support/leasewire.mjs";
import { headers, hmac, SECRETS } from "./support/sign.mjs";

const BODY_BYTES_MAX = 1 << 20;

let worker;
let bare; // without secrets
before(async () => {
  worker = await serve();
  const none = Object.fromEntries(Object.keys(SECRETS).map((name) => [name, undefined]));
  bare = await serve({ bindings: { ...none, PROPEXO_SECRET: "", PROPIFY_SECRET: " \n\t " } });
});
after(() => Promise.all([worker?.stop(), bare?.stop()]));

const post = (source, body, headers, on = worker) =>
  request(`${on.url}/webhooks/${source}`, { method: "POST", headers, body });

/** Checks that an answer is a problem document with this status, and gives it. */
function problem(answer, status) {
  assert.equal(answer.status, status, answer.text);
  assert.equal(answer.headers["content-type"], "application/problem+json");
  const document = answer.json;
  assert.deepEqual(Object.keys(document).sort(), ["detail", "status", "title", "type"]);
  assert.equal(document.status, status);
  for (const name of ["type", "title", "detail"]) {
    assert.equal(typeof document[name], "string");
    assert.notEqual(document[name], "");
  }
  return document;
}

const ledgers = (on) => on.mf.listDurableObjectIds("LEDGER", "leasewire");

/** Nothing was kept: no ledger was even looked at. */
async function nothingKept(on = worker) {
  await nothingWritten(on);
  assert.deepEqual(await ledgers(on), [], "a refused request must not make a ledger");
}

/** No ledger that was looked at has anything. */
async function nothingWritten(on = worker) {
  assert.deepEqual(await on.rows("SELECT * FROM records"), []);
  assert.deepEqual(await on.rows("SELECT * FROM integrations"), []);
  assert.deepEqual(tables(on), []);
}

/** The tables in all ledgers, without the platform's own. */
function tables(on) {
  const files = readdirSync(on.folder, { recursive: true }).filter((name) =>
    /Ledger.*[0-9a-f]{64}\.sqlite$/.test(name),
  );
  return files.flatMap((name) => {
    const database = new DatabaseSync(join(on.folder, name), { readOnly: true });
    const rows = database.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all();
    database.close();
    return rows.map(({ name }) => name).filter((name) => !name.startsWith("_cf_"));
  });
}

const DIALECTS = {
  propexo: diff("int_1", "lease_1", { status: "secret-before" }, { status: "secret-after" }),
  propify: diff("int_1", "lease_1", { status: "secret-before" }, { status: "secret-after" }),
  meterbase: unit("conn_1", { id: "unit_1", status: "secret-after" }),
  "real-estate": property("evt_1", { id: "prop_1", status: "secret-after" }),
};
const HEADER = {
  propexo: "propexo-signature",
  propify: "propify-signature",
  meterbase: "x-propexo-signature",
  "real-estate": "x-webhook-signature",
};

describe("401", () => {
  let bodyOf401;
  const refused = async (source, body, headers) => {
    const answer = await post(source, body, headers);
    problem(answer, 401);
    assert.equal(answer.headers["www-authenticate"], "Signature");
    bodyOf401 ??= answer.text;
    assert.equal(answer.text, bodyOf401, "every 401 has the same body");
  };

  for (const [source, body] of Object.entries(DIALECTS)) {
    const name = HEADER[source];
    const signed = () => headers(source, body);
    const prefix = source === "meterbase" ? "sha256=" : "";
    const hex = () => signed()[name].slice(prefix.length);
    const with_ = (value) => ({ ...signed(), [name]: value });

    const SIGNATURES = {
      missing: () => {
        const { [name]: _gone, ...rest } = signed();
        return rest;
      },
      empty: () => with_(""),
      blank: () => with_("   "),
      "the prefix alone": () => with_("sha256="),
      truncated: () => with_(prefix + hex().slice(0, 32)),
      "one digit short": () => with_(prefix + hex().slice(1)),
      "one digit more": () => with_(`${prefix}${hex()}0`),
      "a whole signature more": () => with_(prefix + hex() + hex()),
      "not hexadecimal": () => with_(`${prefix}zz${hex().slice(2)}`),
      "base64 of the right bytes": () => with_(prefix + Buffer.from(hex(), "hex").toString("base64")),
      "with the wrong prefix": () => with_(prefix ? hex() : `sha256=${hex()}`),
      "twice in one value": () => with_(`${prefix}${hex()}, ${prefix}${hex()}`),
      "in two headers": () => with_([prefix + hex(), prefix + hex()]),
      "of nothing": () => with_(prefix + hmac(SECRETS.PROPEXO_SECRET, "")),
      "of another secret": () => headers(source, body, { secret: "another" }),
      "of an empty secret": () => headers(source, body, { secret: "" }),
      "with one bit changed": () => {
        const flipped = (Number.parseInt(hex()[0], 16) ^ 1).toString(16);
        return with_(prefix + flipped + hex().slice(1));
      },
      "of all zeros": () => with_(prefix + "0".repeat(64)),
      "very long": () => with_(prefix + "a".repeat(8000)),
    };
    for (const [what, make] of Object.entries(SIGNATURES)) {
      test(`${source}: signature ${what}`, () => refused(source, body, make()));
    }

    test(`${source}: one byte of the body changed`, async () => {
      const changed = body.replace("secret-after", "secret-aftes");
      assert.notEqual(changed, body);
      await refused(source, changed, signed());
      await refused(source, `${body} `, signed());
      await refused(source, body.slice(0, -1), signed());
    });

    test(`${source}: an empty body`, () => refused(source, "", signed()));

    test(`${source}: the right signature of every other source`, async () => {
      for (const other of Object.keys(DIALECTS).filter((other) => other !== source)) {
        // Under its own header, and under the one that is looked at.
        const [value] = Object.values(headers(other, body)).slice(-1);
        await refused(source, body, headers(other, body));
        await refused(source, body, { ...signed(), [name]: value });
      }
    });
  }

  const real = DIALECTS["real-estate"];
  const now_ms = () => Date.now();
  const seconds = (ms) => String(Math.floor(ms / 1000));
  const iso = (ms) => new Date(ms).toISOString();
  const TIMESTAMPS = {
    empty: () => "",
    "of words": () => "yesterday",
    "an HTTP date": () => new Date().toUTCString(),
    "with an offset": () => iso(now_ms()).replace("Z", "+01:00"),
    negative: () => "-1",
    "with a fraction": () => `${seconds(now_ms())}.5`,
    "in hexadecimal": () => "0x6900",
    "in microseconds": () => `${now_ms()}000`,
    "a day and ten seconds old": () => seconds(now_ms() - 86_410_000),
    "a day and ten seconds old, in milliseconds": () => String(now_ms() - 86_410_000),
    "a day and ten seconds old, as RFC 3339": () => iso(now_ms() - 86_410_000),
    "of 1970": () => "0",
    "ten seconds more than 5 min ahead": () => seconds(now_ms() + 310_000),
    "a year ahead": () => seconds(now_ms() + 365 * 86_400_000),
  };
  for (const [what, timestamp] of Object.entries(TIMESTAMPS)) {
    test(`real-estate: a signed timestamp ${what}`, () =>
      refused("real-estate", real, headers("real-estate", real, { timestamp: timestamp() })));
  }
  test("real-estate: a timestamp missing, though something is signed for it", async () => {
    for (const text of ["undefined", "null", ""]) {
      const signature = hmac(SECRETS.REAL_ESTATE_SECRET, text, real);
      await refused("real-estate", real, { "x-webhook-signature": signature });
    }
  });
  test("real-estate: an old request under a fresh timestamp", async () => {
    const old = headers("real-estate", real, { timestamp: seconds(now_ms() - 100_000_000) });
    await refused("real-estate", real, { ...old, "x-webhook-timestamp": seconds(now_ms()) });
  });
  test("real-estate: digits moved from the timestamp into the body", async () => {
    const body = `000${real}`;
    const timestamp = seconds(now_ms());
    const signed = headers("real-estate", real, { timestamp: `${timestamp}000` });
    await refused("real-estate", body, { ...signed, "x-webhook-timestamp": timestamp });
  });
  test("real-estate: two timestamps", () => {
    const signed = headers("real-estate", real);
    const timestamp = signed["x-webhook-timestamp"];
    return refused("real-estate", real, { ...signed, "x-webhook-timestamp": [timestamp, timestamp] });
  });

  const SHIFTS_MS = { "two days and ten seconds old": -172_810_000, "from the future": 310_000 };
  for (const [what, shift_ms] of Object.entries(SHIFTS_MS)) {
    test(`meterbase: a body ${what}, rightly signed`, async () => {
      const body = unit("conn_1", { id: "unit_1" }, iso(now_ms() + shift_ms));
      await refused("meterbase", body, headers("meterbase", body));
    });
  }

  test("a ping must be signed too", async () => {
    const ping = JSON.stringify({ event: "test.ping", timestamp: iso(now_ms()), data: {} });
    await refused("meterbase", ping, headers("meterbase", ping, { secret: "another" }));
    assert.equal((await worker.post("meterbase", ping)).text, '{"status":"pong"}');
  });

  test("after all of this nothing is kept", () => nothingKept());
});

test("413: a body over the cap, honest about its length", async () => {
  const body = Buffer.alloc(BODY_BYTES_MAX + 1, " ");
  problem(await worker.post("propexo", body), 413);
  await nothingKept();
});

test("413: a body over the cap in chunks, without a length", async () => {
  const body = Buffer.alloc(BODY_BYTES_MAX + 1, " ");
  const chunks = [];
  for (let at = 0; at < body.length; at += 65_536) chunks.push(body.subarray(at, at + 65_536));
  problem(await post("propexo", chunks, headers("propexo", body)), 413);
  await nothingKept();
});

test("413: a body far over the cap, in chunks", async () => {
  const chunk = Buffer.alloc(1 << 20, " ");
  problem(await post("propexo", Array(16).fill(chunk), headers("propexo", chunk)), 413);
  await nothingKept();
});

test("404: an unknown source, signed or not", async () => {
  const body = DIALECTS.propexo;
  const names = ["nobody", "Propexo", "propexo%20", "constructor", "__proto__", "..%2Fpropexo"];
  for (const name of [...names, "%00", "%C3%A9", "x".repeat(5000)]) {
    problem(await post(name, body, headers("propexo", body)), 404);
  }
  const signed = headers("propexo", body);
  for (const path of ["", "webhooks", "webhooks/", "webhooks//", "webhooks/propexo/x", "webhooks/propexo//x", "x"]) {
    problem(await request(`${worker.url}/${path}`, { method: "POST", headers: signed, body }), 404);
  }
  await nothingKept();
});

test("405: another method, with those there are", async () => {
  const signed = headers("propexo", "");
  for (const method of ["GET", "PUT", "PATCH", "DELETE", "OPTIONS"]) {
    const answer = await request(`${worker.url}/webhooks/propexo`, { method, headers: signed });
    problem(answer, 405);
    assert.equal(answer.headers.allow, "POST");
  }
  const authorization = `Bearer ${SECRETS.API_TOKEN}`;
  for (const path of ["/healthz", "/metrics", "/v1/integrations", "/v1/integrations/propexo/int_1"]) {
    const answer = await request(worker.url + path, { method: "POST", headers: { authorization }, body: "" });
    problem(answer, 405);
    assert.equal(answer.headers.allow, "GET, HEAD");
  }
  for (const path of ["/webhooks/propexo", "/v1/sources/propexo/test", "/v1/integrations/propexo/int_1/replay"]) {
    const head = await request(worker.url + path, { method: "HEAD", headers: { authorization } });
    assert.equal(head.status, 405);
    assert.equal(head.headers.allow, "POST");
    assert.equal(head.text, "");
  }
  await nothingKept();
});

test("503: a source whose secret is empty, blank or missing", async () => {
  for (const [source, body] of Object.entries(DIALECTS)) {
    for (const secret of ["", "undefined", SECRETS.PROPEXO_SECRET]) {
      const answer = await bare.post(source, body, { secret });
      problem(answer, 503);
      assert.match(answer.headers["retry-after"], /^\d+$/);
    }
  }
  await nothingKept(bare);
});

describe("the API", () => {
  const BY_NUMBER = ["events", "quarantine", "dead"].map((list) => `/propexo/int_1/${list}`);
  const PATHS = ["", "/propexo/int_1", ...BY_NUMBER, "/propexo/int_1/records/leases/lease_1"];
  const get = (on, path, authorization) =>
    request(`${on.url}/v1/integrations${path}`, { headers: authorization ? { authorization } : {} });
  const { API_TOKEN: token } = SECRETS;

  test("401 without the token or with another", async () => {
    const others = [undefined, "Bearer", "Bearer ", token, `Basic ${token}`, `Bearer ${token}x`];
    others.push(`Bearer ${token.slice(1)}`, `Bearer ${token.toUpperCase()}`, `Bearer ${token}, Bearer ${token}`);
    let first;
    for (const path of PATHS) {
      for (const authorization of others) {
        const answer = await get(worker, path, authorization);
        problem(answer, 401);
        assert.equal(answer.headers["www-authenticate"], "Bearer");
        first ??= answer.text;
        assert.equal(answer.text, first);
      }
    }
  });

  test("no way of writing a path leads around the token", async () => {
    const paths = ["/%761/integrations", "/v%31/integrations", "/v1/%69ntegrations", "//v1/integrations"];
    paths.push("/./v1/integrations", "/x/../v1/integrations", "/v1%2Fintegrations", "/V1/integrations");
    paths.push("/v1\\integrations", "/%2e/v1/integrations", "/v1/./integrations", "/v1/integrations/");
    for (const path of paths) {
      for (const rest of ["", "/propexo/int_1", "/propexo/int_1/events"]) {
        const { status, text } = await request(worker.url + path + rest);
        assert.ok(status === 401 || status === 404, `${path}${rest}: ${status} ${text}`);
        assert.doesNotMatch(text, /no such integration/i, `${path}${rest}`);
      }
    }
  });

  test("503 where no token is configured", async () => {
    for (const path of PATHS) {
      for (const authorization of [undefined, "Bearer ", "Bearer undefined", `Bearer ${token}`]) {
        problem(await get(bare, path, authorization), 503);
      }
    }
  });

  test("400 for a limit or cursor that is none", async () => {
    const limits = ["0", "501", "-1", "1.5", "ten", "", "1e2", "99999999999999999999"];
    for (const limit of limits) {
      for (const path of ["", ...BY_NUMBER, "/propexo/int_1/records/leases"]) {
        problem(await get(worker, `${path}?limit=${limit}`, `Bearer ${token}`), 400);
      }
    }
    for (const after of ["-1", "x", "1.5", "", "9007199254740992"]) {
      for (const path of BY_NUMBER) {
        problem(await get(worker, `${path}?after=${after}`, `Bearer ${token}`), 400);
      }
    }
    problem(await get(worker, "?after=propexo", `Bearer ${token}`), 400);
    problem(await get(worker, "/propexo/int_1/events/last", `Bearer ${token}`), 400);
  });

  test("404 for what nobody has sent, which writes nothing", async () => {
    const paths = ["/propexo/int_1", ...BY_NUMBER, "/propexo/int_1/events/1", "/nobody/int_1"];
    paths.push("/propexo/int_1/records/leases/lease_1", "/propexo/int_1/nothing", "/propexo");
    for (const name of ["propexo%2Fx/int_1", "Propexo/int_1", "propexo/a%00b", `propexo/${"x".repeat(1025)}`]) {
      paths.push(`/${name}`, `/${name}/events`);
    }
    for (const path of paths) problem(await get(worker, path, `Bearer ${token}`), 404);
    await nothingWritten();
    // Those two have a name that an integration may have.
    assert.equal((await ledgers(worker)).length, 2);
  });

  test("health is open to all, and needs nothing", async () => {
    for (const on of [worker, bare]) {
      const answer = await request(`${on.url}/healthz`);
      assert.equal(answer.status, 200);
      const { status, version } = answer.json;
      assert.equal(status, "ok");
      assert.match(version, /^\d+\.\d+\.\d+/);
    }
  });
});

test("the log says why each was refused, and tells no secret, signature or body", () => {
  const lines = worker.log.map((line) => JSON.parse(line));
  const reasons = new Set(lines.filter((line) => line.status === 401).map((line) => line.reason));
  const expected = ["from_the_future", "signature_malformed", "signature_missing", "signature_wrong"];
  expected.push("timestamp_malformed", "timestamp_missing", "timestamp_unseparated", "too_old");
  assert.deepEqual([...reasons].filter(Boolean).sort(), expected);
  for (const line of worker.log) {
    assert.doesNotMatch(line, /secret-before|secret-after|development-only|[0-9a-f]{64}/);
  }
});

test("a slash too many is no other path", async () => {
  const of = await serve();
  try {
    const paths = ["/webhooks/propexo/", "//webhooks/propexo", "/webhooks//propexo", "//webhooks//propexo//"];
    const body = DIALECTS.propexo;
    const options = { method: "POST", headers: headers("propexo", body), body };
    const seen = await Promise.all(paths.map(async (path) => (await request(of.url + path, options)).json));
    assert.deepEqual(
      seen.map(({ seq }) => seq),
      [1, 1, 1, 1],
    );
    const authorization = `Bearer ${SECRETS.API_TOKEN}`;
    const state = await request(`${of.url}//v1//integrations/propexo/int_1/`, { headers: { authorization } });
    assert.equal(state.json.last_seq, 1);
  } finally {
    await of.stop();
  }
});

test("once a request does get in, there is a ledger: the checks above can fail", async () => {
  assert.deepEqual(tables(worker), []);
  assert.equal((await worker.post("propify", DIALECTS.propify)).json.status, "accepted");
  assert.equal((await ledgers(worker)).length, 3);
  assert.ok(tables(worker).includes("ledger"));
});
