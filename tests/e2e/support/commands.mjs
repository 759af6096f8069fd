// Commands of the documents that a test can't run, each with the reason and with what can be seen of it
// all the same.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { promisify } from "node:util";

import { inRoot } from "./paths.mjs";

const text = (...path) => readFileSync(inRoot(...path), "utf8");
const { scripts } = JSON.parse(text("package.json"));

/** The words of a command, without the quotes around them. */
const words = (command) => [...command.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(([, a, b, c]) => a ?? b ?? c);

/** Names of the options of a command: `--only` of `--only build` or `--only=build`. */
const options = (command) =>
  words(command)
    .filter((word) => word.startsWith("--") && word !== "--")
    .map((word) => word.split("=")[0]);

/** What each npm script hands its options on to. */
const TAKERS = {
  test: ["scripts/test.mjs"],
  start: ["scripts/start.mjs"],
  simulate: ["tests/simulation/main.rs"],
  chaos: ["tests/chaos/main.mjs"],
  bench: ["bench/measure.mjs"],
  soak: ["bench/soak.mjs"],
  cost: ["bench/cost.mjs"],
  provider: ["examples/provider/options.mjs"],
};

function npm(command) {
  const [, run, maybe] = words(command);
  const name = run === "run" ? maybe : run;
  assert.ok(name in scripts, `package.json has no script ${name}`);
  const taken = options(command);
  const takers = (TAKERS[name] ?? []).map((file) => text(file)).join("\n");
  for (const option of taken) {
    const key = option.slice(2);
    const known = new RegExp(`${option}\\b|["']?\\b${key}\\b["']?:`);
    assert.match(takers, known, `${name} takes no ${option}`);
  }
  const only = command.match(/^npm test -- --only (\S+)$/)?.[1].split(",") ?? [];
  for (const check of only) assert.match(takers, new RegExp(`^  "?${check}"?:`, "m"), `there is no check ${check}`);
}

const run = promisify(execFile);
const helps = new Map();
const help = (program, args) => {
  const key = [program, ...args].join(" ");
  if (!helps.has(key)) {
    const env = { ...process.env, WRANGLER_SEND_METRICS: "false", WRANGLER_HIDE_BANNER: "true", NO_COLOR: "1" };
    helps.set(
      key,
      run(program, args, { cwd: inRoot(), env }).then(({ stdout }) => stdout),
    );
  }
  return helps.get(key);
};

const SUBCOMMANDS = [
  "login",
  "deploy",
  "tail",
  "secret put",
  "queues create",
  "d1 create",
  "d1 execute",
  "d1 migrations apply",
];

async function wrangler(command) {
  const [, , ...args] = words(command);
  const subcommand = SUBCOMMANDS.find((one) => `${args.join(" ")} `.startsWith(`${one} `));
  assert.ok(subcommand, "none of wrangler's commands that are known here");
  const parts = subcommand.split(" ");
  const said = await help(process.execPath, [
    inRoot("node_modules", "wrangler", "bin", "wrangler.js"),
    ...parts,
    "--help",
  ]);
  assert.ok(said.includes(`wrangler ${subcommand}`), said);
  for (const option of options(command)) {
    assert.match(said, new RegExp(`${option}\\b`), `wrangler ${subcommand} has no ${option}`);
  }
  const rest = args.slice(parts.length);
  const named = rest.filter((word, at) => !word.startsWith("--") && !/^--(file|command|format)$/.test(rest[at - 1]));
  const names = text("wrangler.toml") + text(".dev.vars.example");
  for (const name of named) assert.match(names, new RegExp(`\\b${name}\\b`), `nothing here is called ${name}`);
  const file = rest[rest.indexOf("--file") + 1];
  if (rest.includes("--file")) assert.ok(existsSync(inRoot(file)), `there is no ${file}`);
  if (rest.includes("--command")) database().prepare(rest[rest.indexOf("--command") + 1]);
}

/** D1's tables, empty. */
function database() {
  const db = new DatabaseSync(":memory:");
  for (const name of readdirSync(inRoot("migrations")).sort()) db.exec(text("migrations", name));
  return db;
}

function cargoTest(command) {
  const [, name, topic] = command.match(/--test (\w+)(?: (\w+))?$/);
  const files = topic ? [`${name}/${topic}.rs`, `${name}/${topic}/mod.rs`] : [`${name}.rs`, `${name}/main.rs`];
  const file = files.find((file) => existsSync(inRoot("tests", file)));
  assert.ok(file, `there is no test ${name} ${topic ?? ""}`);
  const [, variable] = command.match(/^(\w+)=/) ?? [];
  if (variable) assert.match(text("tests", file), new RegExp(`"${variable}"`), `${file} doesn't know ${variable}`);
}

/** The path of a request to a gateway that is deployed is one that the API has. */
function deployed(command) {
  const path = command.match(/https:\/\/[^/]+(\/\S*)/)[1];
  const paths = Object.keys(JSON.parse(text("src", "api", "openapi.json")).paths);
  const fits = (template) => new RegExp(`^${template.replace(/\{\w+\}/g, "[^/]+")}$`).test(path);
  assert.ok(paths.some(fits), `the API has no ${path}`);
}

async function sender(command) {
  const said = await help("cargo", ["run", "--quiet", "--locked", "--example", "send", "--", "--help"]);
  for (const option of options(command.split(" -- ")[1]))
    assert.ok(said.includes(option), `the sender has no ${option}`);
}

/** What isn't run: commands that are `like` this, and why, and what is checked in place of it. */
export const NOT_RUN = [
  { like: /^npm start( -- .*)?$/, why: "the gateway of this test is started so", check: npm },
  { like: /^npm test( -- .*)?$/, why: "this test is part of it", check: npm },
  { like: /^npm run (build|api-docs|format)$/, why: "it writes into the checkout", check: npm },
  {
    like: /^npm run (simulate|chaos|bench|soak|cost)( -- .*)?$/,
    why: "it takes minutes, and tests of their own run it",
    check: npm,
  },
  { like: /^npm run provider( -- .*)?$/, why: "it runs until it's stopped, and a test of its own runs it", check: npm },
  { like: /^(\w+=\d+ )?cargo test --test \w+( \w+)?$/, why: "`npm test` runs it", check: cargoTest },
  { like: /^npx wrangler /, why: "it needs a Cloudflare account", check: wrangler },
  { like: /^curl .*https:\/\/leasewire\./, why: "it needs a deployed gateway", check: deployed },
  { like: /^cargo run --example send -- .*--to https:/, why: "it needs a deployed gateway", check: sender },
];
