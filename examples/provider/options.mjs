// The options of the command, and the text of its `--help`.

import { parseArgs } from "node:util";

/** By name: what it is by default, what it may be, and what it means. Without a default it's a switch. */
const OPTIONS = {
  port: { value: 9100, min: 0, max: 65_535, help: "where the API listens; 0 for any free port" },
  gateway: { value: "http://localhost:8787", help: "where webhooks go" },
  source: { value: "propexo", help: "the gateway's name for this provider" },
  secret: { value: "", help: "what webhooks are signed with; by default what .dev.vars has for the source" },
  key: { value: "development-only-propexo-key", help: "what callers of the API send as Authorization: Bearer" },
  seed: { value: 1, min: 0, help: "the same seed is the same world" },
  speed: { value: 60, min: 0.001, help: "how fast time runs for the world, the syncs and the retries" },
  integrations: { value: 2, min: 1, max: 4, help: "how many there are" },
  units: { value: 60, min: 3, help: "how many units each of them begins with" },
  changes: { value: 120, min: 0.001, help: "what happens in an hour of its time in each" },
  "quiet-after": { value: 0, min: 0, help: "seconds on your clock after which nothing happens any more; 0: never" },
  "sync-every": { value: 300, min: 1, help: "seconds of its time between the beginnings of syncs" },
  "backsync-every": { value: 12, min: 0, help: "each so many-th sync is a backsync, without DATA_ webhooks; 0: none" },
  lose: { value: 0, min: 0, max: 1, help: "the share of webhooks that is never sent" },
  repeat: { value: 0, min: 0, max: 1, help: "the share that is sent twice" },
  reorder: { value: 0, min: 0, max: 1, help: "the share that is up to a minute of its time late" },
  "fail-jobs": { value: 0, min: 0, max: 1, help: "the share of a sync's jobs that fails" },
  "fail-property": { value: "", help: "the property of which all jobs fail, by its id" },
  ago: { value: 0, min: 0, help: "so many days before now its time begins" },
  limit: { value: 150, min: 1, help: "requests a minute on your clock" },
  envelope: { value: "full", among: ["full", "flat", "short"], help: "how webhooks of records are shaped" },
  names: { value: "kebab", among: ["kebab", "snake"], help: "how webhooks write models" },
  "read-lag": { value: 0, min: 0, help: "the API shows what was so many seconds on your clock ago" },
  "new-lag": { value: 0, min: 0, help: "the API doesn't have what is new for so many seconds on your clock" },
  others: { value: 0, min: 0, help: "requests a minute that other programs make with the key" },
  "fail-answers": { value: 0, min: 0, max: 1, help: "the share of the API's answers that is broken" },
  "lose-diffs": { value: 0, min: 0, max: 1, help: "the share of changes that the list of data diffs lacks" },
  "old-api": { help: "no filters by updated_at and last_seen" },
  "has-more-null": { help: "pages don't say whether there is more" },
  "no-admin": { help: "the key may not use /v1/admin: 403" },
  "plain-diffs": { help: "data diffs have the new values alone" },
  "all-diffs": { help: "first syncs and backsyncs have data diffs too" },
  "last-seen": { help: "being seen in a sync is a change by itself" },
  "parts-touch": { help: "where a part changes, updated_at of what it's in does too" },
  "tell-parts": { help: "webhooks tell of pets" },
  "no-webhook": { help: "no webhook is registered at the beginning" },
  tell: { help: "a line for all that happens in the world" },
  help: { help: "this text" },
};

/** All by their defaults. */
export const DEFAULTS = Object.fromEntries(Object.entries(OPTIONS).map(([name, { value = false }]) => [name, value]));

export function help() {
  const lines = Object.entries(OPTIONS).map(([name, { value, among, help }]) => {
    const shown = value === undefined || value === "" ? "" : ` (${among ? among.join(", ") : value})`;
    return `  --${name.padEnd(16)}${help}${shown}`;
  });
  return ["npm run provider -- [options]: a pretend Propexo, with an API and webhooks", "", ...lines].join("\n");
}

/** Reads arguments; throws an error whose message says what is wrong. */
export function read(args) {
  const type = ({ value }) => (value === undefined ? "boolean" : "string");
  const options = Object.fromEntries(Object.entries(OPTIONS).map(([name, option]) => [name, { type: type(option) }]));
  const { values } = parseArgs({ args, options });
  return {
    ...DEFAULTS,
    ...Object.fromEntries(Object.entries(values).map(([name, text]) => [name, value(name, text)])),
  };
}

function value(name, text) {
  const { value, min, max = Infinity, among } = OPTIONS[name];
  if (among && !among.includes(text)) throw new Error(`--${name} is one of ${among.join(", ")}, not "${text}".`);
  if (typeof value !== "number") return text;
  const number = Number(text);
  if (text.trim() === "" || !(number >= min && number <= max)) {
    throw new Error(`--${name} is a number from ${min}${max === Infinity ? "" : ` to ${max}`}, not "${text}".`);
  }
  return number;
}
