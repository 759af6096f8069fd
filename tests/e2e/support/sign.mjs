// Signatures as the four providers make them, from their documentation and with Node's own crypto:
// nothing here comes from the Worker, so the two can only agree by both being right.

import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { parseEnv } from "node:util";

import { inRoot } from "./paths.mjs";

/** The secrets for development, by name. */
export const SECRETS = parseEnv(readFileSync(inRoot(".dev.vars.example"), "utf8"));

export const hmac = (secret, ...parts) => {
  const mac = createHmac("sha256", secret);
  for (const part of parts) mac.update(part);
  return mac.digest("hex");
};

const now_s = () => String(Math.floor(Date.now() / 1000));

/** What each dialect sends along with a body. */
const SIGNED = {
  propexo: (secret, body) => ({ "propexo-signature": hmac(secret, body) }),
  propify: (secret, body) => ({ "propify-signature": hmac(secret, body) }),
  meterbase: (secret, body) => ({ "x-propexo-signature": `sha256=${hmac(secret, body)}` }),
  "real-estate": (secret, body, timestamp = now_s()) => ({
    "x-webhook-timestamp": timestamp,
    "x-webhook-signature": hmac(secret, timestamp, body),
  }),
};

const secretOf = (dialect) => SECRETS[`${dialect.toUpperCase().replace("-", "_")}_SECRET`];

/** The headers of a signed request; `secret` is by default that of the dialect's own source. */
export const headers = (dialect, body, { secret = secretOf(dialect), timestamp } = {}) =>
  SIGNED[dialect](secret, body, timestamp);
