// The command: `npm run provider`. `-- --help` says what can be set.

import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { help, read } from "./options.mjs";
import { startProvider } from "./server.mjs";
import { iso } from "./timeline.mjs";

/** Numbers are told so often, if they change. */
const COUNTS_MS = 10_000;

const file = (name) => fileURLToPath(new URL(`../../${name}`, import.meta.url));

/** The secret of a source, from where the local gateway has it; the first of several. */
function secretOf(source) {
  const settings = readFileSync(file("wrangler.toml"), "utf8");
  const section = settings.split(/^\[/m).find((part) => part.startsWith(`vars.SOURCES.${source}]`));
  const name = section?.match(/^secret\s*=\s*"(\w+)"/m)?.[1];
  const from = [".dev.vars", ".dev.vars.example"].find((name) => existsSync(file(name)));
  const secret = readFileSync(file(from), "utf8").match(new RegExp(`^${name}\\s*=\\s*["']?([^"'\\n]+)`, "m"))?.[1];
  if (!name || !secret) throw new Error(`There is no secret for a source ${source}: say --secret.`);
  return secret.split("\\n")[0];
}

async function run() {
  const options = read(process.argv.slice(2));
  if (options.help) {
    console.log(help());
    return;
  }
  options.secret ||= secretOf(options.source);
  options.gateway = options.gateway.replace(/\/+$/, "");
  const say = (line, now) => console.log(`${iso(now).slice(0, 19)}  ${line}`);
  const { url, webhooks, control } = await startProvider({ ...options, say });
  console.log(`API       ${url}`);
  console.log(`key       ${options.key}`);
  for (const hook of webhooks.hooks) console.log(`webhooks  ${hook.url}`);
  let last = counted(control);
  setInterval(() => {
    const now = counted(control);
    if (now !== last) console.log(now);
    last = now;
  }, COUNTS_MS);
  for (const signal of ["SIGINT", "SIGTERM"]) {
    process.once(signal, () => {
      console.log(`\n${counted(control)}`);
      process.exit(0);
    });
  }
}

/** A line of numbers. */
function counted(control) {
  const { webhooks, requests, is_quiet } = control.state();
  const { made, lost, repeated, delivered, waiting } = webhooks;
  const asked = Object.values(requests).reduce((sum, count) => sum + count, 0);
  const sent = `${made} webhooks: ${lost} lost, ${repeated} repeated, ${delivered} delivered, ${waiting} waiting`;
  return `${sent}; ${asked} requests${is_quiet ? "; quiet" : ""}`;
}

run().catch((error) => {
  const isTaken = error.syscall === "listen";
  console.error(isTaken ? `The API can't listen on port ${error.port}: ${error.code}.` : error.message);
  process.exit(1);
});
