// `npm start`: serves the Worker locally. `npm start -- --port 9000 --persist-to FOLDER` hands its
// arguments on to `wrangler dev`.

import { copyFileSync, existsSync } from "node:fs";
import { parseArgs } from "node:util";

import { main } from "./lib/command.mjs";
import { inRoot } from "./lib/paths.mjs";
import { prepare } from "./lib/prepare.mjs";
import { buildWorker } from "./lib/worker.mjs";
import { dev, migrate } from "./lib/wrangler.mjs";

main(async () => {
  const args = process.argv.slice(2);
  // Only these two are looked at, all others are wrangler's own business.
  const { values } = parseArgs({
    args,
    strict: false,
    options: { port: { type: "string" }, "persist-to": { type: "string" } },
  });
  await prepare();
  await buildWorker();
  if (!existsSync(inRoot(".dev.vars"))) {
    copyFileSync(inRoot(".dev.vars.example"), inRoot(".dev.vars"));
    console.log("Made .dev.vars from .dev.vars.example: secrets for development only.");
  }
  await migrate(values["persist-to"]);
  return dev(values.port ? args : ["--port", "8787", ...args]);
});
