// How large the Worker is, as Cloudflare counts it.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { gzipSync } from "node:zlib";

import { inRoot } from "./support/paths.mjs";

// Every isolate loads all of it before its first answer.
const GZIPPED_BYTES_MAX = 395_000;

test("the wasm is small", () => {
  const wasm = readFileSync(inRoot("build", "index_bg.wasm"));
  const { length } = gzipSync(wasm, { level: 9 });
  assert.ok(
    length <= GZIPPED_BYTES_MAX,
    `build/index_bg.wasm has ${length} bytes gzipped, ${length - GZIPPED_BYTES_MAX} too many. See what is ` +
      "large in it: `cargo install twiggy`, build with LEASEWIRE_READABLE=1, `twiggy top build/index_bg.wasm`.",
  );
});

test("a function in a stack trace can be named", async () => {
  const names = readFileSync(inRoot("build", "functions.txt"), "utf8").split("\n");
  const module = await WebAssembly.compile(readFileSync(inRoot("build", "index_bg.wasm")));
  assert.equal(WebAssembly.Module.customSections(module, "name").length, 0, "the wasm has names in it");
  for (const name of ["fetch", "queue", "ledger_call"]) {
    assert.ok(
      names.some((line) => line.endsWith(`:${name}`)),
      `${name} is not in build/functions.txt`,
    );
  }
});
