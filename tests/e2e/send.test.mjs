// The sender, which signs with code of its own, against the Worker.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { after, before, test } from "node:test";

import { serve } from "./support/leasewire.mjs";
import { inRoot } from "./support/paths.mjs";
import { Program } from "./support/processes.mjs";
import { SECRETS } from "./support/sign.mjs";

/** The first run compiles it. */
const RUN_MS_MAX = 300_000;

let worker;
before(async () => {
  worker = await serve();
});
after(() => worker?.stop());

async function send(...args) {
  const run = ["run", "--quiet", "--locked", "--example", "send", "--", ...args];
  const program = new Program("cargo", run, { env: SECRETS });
  const code = await program.end(RUN_MS_MAX);
  return { code, output: program.output };
}

test("it lists what there is to send", async () => {
  assert.ok(existsSync(inRoot("examples", "send")));
  const { code, output } = await send();
  assert.equal(code, 0, output);
  for (const name of ["propexo", "propify", "meterbase", "real-estate", "DATA_UPDATE", "property.sold"]) {
    assert.ok(output.includes(name), output);
  }
});

const EVENTS = [
  ["propexo", "DATA_UPDATE"],
  ["propify", "DATA_UPDATE"],
  ["meterbase", "data.update"],
  ["real-estate", "property.updated"],
];
for (const [dialect, event] of EVENTS) {
  test(`${dialect} ${event} is accepted, and becomes a record`, async () => {
    const { code, output } = await send(dialect, event, "--to", worker.url);
    assert.equal(code, 0, output);
    assert.match(output, /accepted/);
    const [{ integration }] = await worker.rows("SELECT * FROM integrations WHERE source = ?", dialect);
    await worker.confirmed(dialect, integration);
    assert.equal((await worker.records(dialect, integration)).length, 1);
  });
}

test("the identical body several times is one event", async () => {
  const args = ["--to", worker.url, "--integration", "int_same", "--count", "5", "--same"];
  const { code, output } = await send("propexo", "DATA_NEW", ...args);
  assert.equal(code, 0, output);
  assert.match(output, /duplicate/);
  await worker.confirmed("propexo", "int_same");
  assert.equal((await worker.state("propexo", "int_same")).last_seq, 1);
});

test("with the wrong secret it fails and says so", async () => {
  const { code, output } = await send("propexo", "DATA_NEW", "--to", worker.url, "--secret", "wrong");
  assert.notEqual(code, 0, output);
  assert.match(output, /401/);
});
