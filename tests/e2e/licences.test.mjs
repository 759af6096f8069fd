// The check `licences`: which ones it refuses.

import assert from "node:assert/strict";
import { test } from "node:test";

import { readRules, refusals } from "../../scripts/lib/licences.mjs";

const RULES = readRules(`
# A comment with "quotes".
[licenses]
allow = [
  "Apache-2.0",
  "MIT",
]
exceptions = [
  { crate = "roots", allow = ["CDLA-Permissive-2.0"] },
]
`);

test("an expression is met by what is allowed", () => {
  const cases = [
    ["MIT", true],
    ["GPL-3.0-only", false],
    ["MIT OR GPL-3.0-only", true],
    ["GPL-3.0-only/MIT", true],
    ["MIT AND GPL-3.0-only", false],
    ["GPL-3.0-only AND (MIT OR Apache-2.0)", false],
    ["(GPL-3.0-only OR MIT) AND Apache-2.0", true],
    ["MIT OR Apache-2.0 AND GPL-3.0-only", true],
    ["Apache-2.0 WITH LLVM-exception OR GPL-3.0-only", true],
    ["GPL-2.0-only WITH Classpath-exception-2.0", false],
    ["mit", false],
    ["MIT MIT", false],
    ["CDLA-Permissive-2.0", false],
  ];
  for (const [license, met] of cases) {
    assert.equal(refusals([{ name: "one", license }], RULES).length, met ? 0 : 1, license);
  }
});

test("a crate may have an exception, and none may say nothing", () => {
  assert.deepEqual(refusals([{ name: "roots", license: "CDLA-Permissive-2.0" }], RULES), []);
  assert.deepEqual(refusals([{ name: "silent", license: null }, { name: "other" }], RULES), [
    "silent: none is stated",
    "other: none is stated",
  ]);
});
