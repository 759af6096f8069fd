// `npm start`: serves the Worker locally. `npm start -- --port 9000 --persist-to FOLDER` hands its
// arguments on to `wrangler dev`; `--provider http://localhost:9100` is ours: the API that is asked for
// records, such as that of `npm run provider`.

import { copyFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { parseArgs, parseEnv } from "node:util";

import { main, Stop } from "./lib/command.mjs";
import { inRoot } from "./lib/paths.mjs";
import { prepare } from "./lib/prepare.mjs";
import { buildWorker } from "./lib/worker.mjs";
import { dev, migrate } from "./lib/wrangler.mjs";

/** Settings like those of wrangler.toml, with an API for the source `propexo`; returns their file. */
function withProvider(url) {
  const { protocol, hostname } = URL.canParse(url) ? new URL(url) : {};
  if (protocol !== "https:" && !(protocol === "http:" && ["localhost", "127.0.0.1"].includes(hostname))) {
    throw new Stop(`--provider is the URL of an API, such as http://localhost:9100, not "${url}".`);
  }
  const file = inRoot("wrangler.provider.toml");
  const api = { kind: "propexo", url, key: "PROPEXO_API_KEY" };
  const lines = Object.entries(api).map(([name, value]) => `${name} = ${JSON.stringify(value)}`);
  const settings = readFileSync(inRoot("wrangler.toml"), "utf8");
  writeFileSync(file, `${settings}\n[vars.SOURCES.propexo.api]\n${lines.join("\n")}\n`);
  return file;
}

/** Names of secrets that .dev.vars was made without, before there were any. */
function missingSecrets() {
  const names = (file) => Object.keys(parseEnv(readFileSync(inRoot(file), "utf8")));
  const there = names(".dev.vars");
  return names(".dev.vars.example").filter((name) => !there.includes(name));
}

/** `args` without `--provider` and its value. */
function others(args) {
  const at = args.findIndex((arg) => /^--provider(=|$)/.test(arg));
  return at < 0 ? args : args.toSpliced(at, args[at].includes("=") ? 1 : 2);
}

main(async () => {
  // Only these are looked at, all others are wrangler's own business.
  const { values } = parseArgs({
    args: process.argv.slice(2),
    strict: false,
    options: { port: { type: "string" }, "persist-to": { type: "string" }, provider: { type: "string" } },
  });
  const args = others(process.argv.slice(2));
  if (values.provider) args.push("--config", withProvider(values.provider));
  await prepare();
  await buildWorker();
  if (!existsSync(inRoot(".dev.vars"))) {
    copyFileSync(inRoot(".dev.vars.example"), inRoot(".dev.vars"));
    console.log("Made .dev.vars from .dev.vars.example: secrets for development only.");
  }
  const lacks = missingSecrets();
  if (lacks.length)
    console.log(`.dev.vars lacks ${lacks.join(", ")}, which .dev.vars.example has: add it if you need it.`);
  await migrate(values["persist-to"]);
  return dev(values.port ? args : ["--port", "8787", ...args]);
});
