// The provider on a port of this machine, in real time: for the command, and for tests in their own process.

import { createServer } from "node:http";

import { DEFAULTS } from "./options.mjs";
import { provide } from "./provider.mjs";
import { DAY_MS, drive, Timeline } from "./timeline.mjs";

/** A gateway that is silent for so long has not answered. */
const ANSWER_MS_MAX = 15_000;

async function post(url, { headers, body }) {
  const signal = AbortSignal.timeout(ANSWER_MS_MAX);
  const answer = await fetch(url, { method: "POST", headers, body, redirect: "manual", signal });
  await answer.arrayBuffer();
  return answer.status;
}

/**
 * Starts a provider; `options` are those of options.mjs, with `secret` in any case, and `say` gets a line for
 * what goes on. Gives what `provide` gives, its `url`, and `stop`.
 */
export async function startProvider({ say = () => {}, ...given } = {}) {
  const options = { ...DEFAULTS, ...given };
  const timeline = new Timeline(Date.now() - options.ago * DAY_MS);
  let time;
  const skip = (ms) => time.skip(ms);
  const tell = (line) => say(line, timeline.now);
  const provider = provide({ timeline, options, post, say: tell, clock: Date.now, skip });
  const server = createServer((incoming, outgoing) => answer(provider, () => time.update(), incoming, outgoing));
  await new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port, "localhost", resolve);
  });
  time = drive(timeline, options.speed);
  const stop = async () => {
    time.stop();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { ...provider, timeline, url: `http://localhost:${server.address().port}`, stop };
}

async function answer({ api, control }, update, incoming, outgoing) {
  const parts = [];
  try {
    for await (const part of incoming) parts.push(part);
  } catch {
    // The caller hung up.
    return;
  }
  update();
  const { method, url: path, headers } = incoming;
  const asked = { method, path, headers, body: Buffer.concat(parts).toString() };
  const given = path.startsWith("/_provider/") ? control.answer(asked) : api.answer(asked);
  if (given.hangs) return;
  setTimeout(() => {
    outgoing.writeHead(given.status, { "content-type": "application/json", ...given.headers });
    outgoing.end(given.text ?? `${JSON.stringify(given.body)}\n`);
  }, given.delay_ms ?? 0);
}
