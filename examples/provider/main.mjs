// The command: `npm run provider`. `-- --help` says what can be set.

import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";

import { help, read } from "./options.mjs";
import { provide } from "./provider.mjs";
import { drive, iso, Timeline } from "./timeline.mjs";

/** A gateway that is silent for so long has not answered. */
const ANSWER_MS_MAX = 15_000;

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

async function post(url, { headers, body }) {
  const signal = AbortSignal.timeout(ANSWER_MS_MAX);
  const answer = await fetch(url, { method: "POST", headers, body, redirect: "manual", signal });
  await answer.arrayBuffer();
  return answer.status;
}

/** Serves the API; `update` brings the time up to date. */
function serve(api, update) {
  return createServer((incoming, outgoing) => {
    const parts = [];
    incoming.on("data", (part) => parts.push(part));
    incoming.on("end", () => {
      update();
      const { method, url: path, headers } = incoming;
      const answer = api.answer({ method, path, headers, body: Buffer.concat(parts).toString() });
      setTimeout(() => {
        outgoing.writeHead(answer.status, { "content-type": "application/json", ...answer.headers });
        outgoing.end(`${JSON.stringify(answer.body)}\n`);
      }, answer.delay_ms);
    });
  });
}

function run() {
  const options = read(process.argv.slice(2));
  if (options.help) {
    console.log(help());
    return;
  }
  options.secret ||= secretOf(options.source);
  options.gateway = options.gateway.replace(/\/+$/, "");
  const timeline = new Timeline(Date.now());
  const say = (line) => console.log(`${iso(timeline.now).slice(0, 19)}  ${line}`);
  const { api, webhooks } = provide({ timeline, options, post, say });
  const server = serve(api, () => time?.update());
  let time;
  server.on("error", (error) => {
    console.error(`The API can't listen on port ${options.port}: ${error.code}.`);
    process.exit(1);
  });
  server.listen(options.port, "localhost", () => {
    console.log(`API       http://localhost:${server.address().port}`);
    console.log(`key       ${options.key}`);
    console.log(`webhooks  ${webhooks.hooks[0].url}`);
    time = drive(timeline, options.speed);
  });
  for (const signal of ["SIGINT", "SIGTERM"]) {
    process.once(signal, () => {
      console.log(`\nwebhooks  ${JSON.stringify(webhooks.counts)}`);
      process.exit(0);
    });
  }
}

try {
  run();
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
