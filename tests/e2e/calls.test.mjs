// The Worker and its ledgers are of two versions for hours while a deployment is gradual: what crosses
// between them says its format, and nothing is done with one that isn't known.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { diff } from "./support/bodies.mjs";
import { request } from "./support/http.mjs";
import { inRoot } from "./support/paths.mjs";
import { serving } from "./support/serving.mjs";

const module = (name, contents, type = "ESModule") => ({ type, path: inRoot("build", ...name), contents });

// Changes what crosses: `calls` are of a later version, `answers` are, or neither.
const CHANGED = `
import worker from "./index.js";
export { Connector, Ledger } from "./index.js";
let later;
const seen = [];
const changed = (ledgers) => ({
  idFromName: (name) => ledgers.idFromName(name),
  get: (id) => ({
    async call(calls, format) {
      const answers = await ledgers.get(id).call(calls, later === "calls" ? format + 1 : format);
      seen.push([format, answers[0]]);
      if (later === "answers") answers[0] += 1;
      return answers;
    },
  }),
});
export default {
  async fetch(request, env, ctx) {
    const { pathname, search } = new URL(request.url);
    if (pathname === "/seen") return Response.json(seen.splice(0));
    if (pathname !== "/later") return worker.fetch(request, { ...env, LEDGER: changed(env.LEDGER) }, ctx);
    later = search.slice(1);
    return new Response();
  },
  queue: (batch, env, ctx) => worker.queue(batch, env, ctx),
};
`;

const lease = (n) => diff("int_1", "lease_1", { n: n - 1 }, { n });

test("a later version's calls are refused and not touched, its answers not believed", async () => {
  const worker = await serving({
    adjust: (options) => options.modules.unshift(module(["changed.js"], CHANGED)),
  });
  const later = (what) => request(`${worker.url}/later?${what}`);
  const refused = async (reason) => {
    const { status, json, headers } = await worker.post("propexo", lease(1));
    assert.deepEqual([status, json.type], [503, "urn:leasewire:problem:ledger-unavailable"]);
    assert.ok(headers["retry-after"]);
    const lines = worker.log.map((line) => JSON.parse(line));
    assert.ok(
      lines.some((line) => line.status === 503 && line.reason?.includes(reason)),
      worker.log.join("\n"),
    );
  };
  await later("calls");
  await refused("format 2 of calls is unknown, 1 is known");
  const asked = await worker.api("GET", "integrations/propexo/int_1");
  assert.equal(asked.status, 503);
  await later("");
  assert.equal((await worker.api("GET", "integrations/propexo/int_1")).status, 404, "nothing was kept");

  // What the ledger has done by then is done, and the sender learns it when it tries again.
  await later("answers");
  await refused("format 2 of calls is unknown, 1 is known");
  await later("");
  assert.deepEqual((await worker.post("propexo", lease(1))).json, { status: "duplicate", seq: 1 });
  await worker.confirmed("propexo", "int_1", 1);
  const seen = (await request(`${worker.url}/seen`)).json;
  assert.ok(seen.length >= 3);
  for (const formats of seen) assert.deepEqual(formats, [1, 1]);
});

const stored = (name) => readFileSync(inRoot("tests", "golden", "stores", "0.1.0", "worker", name));
const BOTH = (edge, ledger) => `
export { default } from "./${edge}index.js";
export { Connector } from "./index.js";
export { Ledger } from "./${ledger}index.js";
`;

for (const [what, edge, ledger] of [
  ["0.1.0 asks this version's ledgers", "older/", ""],
  ["this version asks 0.1.0's ledgers", "", "older/"],
]) {
  test(`${what}, and neither states a format to the other`, async () => {
    const worker = await serving({
      adjust(options) {
        options.modules.unshift(
          module(["both.js"], BOTH(edge, ledger)),
          module(["older", "index.js"], stored("index.js").toString()),
          module(["older", "index_bg.wasm"], stored("index_bg.wasm"), "CompiledWasm"),
        );
      },
    });
    for (const n of [1, 2, 3]) {
      assert.deepEqual((await worker.post("propexo", lease(n))).json, { status: "accepted", seq: n });
      assert.deepEqual((await worker.post("propexo", lease(n))).json, { status: "duplicate", seq: n });
    }
    await worker.confirmed("propexo", "int_1", 3);
    assert.equal((await worker.event("propexo", "int_1", 2)).body, lease(2));
    assert.equal((await worker.api("GET", "integrations/propexo/int_1/events/9")).status, 404);
    const [row] = await worker.records("propexo", "int_1");
    assert.deepEqual([row.version, row.fields], [3, '{"n":3}']);
  });
}
