// Webhooks as Propexo sends them, signed before anything is measured. The n-th request is the same
// for every subject, byte for byte.

import { hmac, SECRETS } from "../../tests/e2e/support/sign.mjs";

export { SECRETS };

export const sign = (body, secret = SECRETS.PROPEXO_SECRET) => hmac(secret, body);

const leases = (integration) => ({ object: "leases", integration_id: integration });

/** About 0.3 KB: a lease's balance changes. With a job of its own, so no two are alike. */
function small(integration, record, n) {
  return JSON.stringify({
    event: "DATA_UPDATE",
    integration_id: integration,
    job_id: `job_${n}`,
    job_type: "READ_LEASES",
    vendor: "YARDI",
    record_id: record,
    object: "leases",
    diff: { previous: { status: "pending" }, new: { status: "pending", balance_in_cents: n } },
    meta: leases(integration),
  });
}

/** About 0.3 KB: a new lease, with few fields. */
function created(integration, record, n) {
  return JSON.stringify({
    event: "DATA_NEW",
    integration_id: integration,
    job_id: `job_${n}`,
    job_type: "READ_LEASES",
    vendor: "YARDI",
    record_id: record,
    object: "leases",
    payload: { status: "pending", unit_id: `unit_${n}`, rent_in_cents: 210_000, balance_in_cents: n },
    meta: leases(integration),
  });
}

/** About 3 KB: a whole lease in the full envelope. */
function medium(integration, record, n) {
  const fields = Object.fromEntries(
    Array.from({ length: 48 }, (_item, at) => [`custom_field_${at}`, `value ${at} of lease ${record}`]),
  );
  return JSON.stringify({
    trigger: "DATA_NEW",
    data: {
      job_id: `job_${n}`,
      root_job_id: `job_${n}_root`,
      integration_id: integration,
      job_type: "READ_LEASES",
      vendor: "YARDI",
      event: "DATA_NEW",
      record_id: record,
      object: "leases",
      payload: { status: "pending", unit_id: `unit_${n}`, rent_in_cents: 210_000, notes: null, ...fields },
      context: { property_id: "property_2" },
    },
    meta: leases(integration),
  });
}

/** About 100 KB: a lease with a long ledger of charges. */
function large(integration, record, n) {
  const charges = Array.from({ length: 940 }, (_item, at) => ({
    id: `charge_${n}_${at}`,
    amount_in_cents: 1_000 + at,
    due: "2026-03-01",
    description: "Rent and utilities as agreed",
  }));
  return JSON.stringify({
    event: "DATA_NEW",
    integration_id: integration,
    job_id: `job_${n}`,
    record_id: record,
    object: "leases",
    payload: { status: "pending", charges },
    meta: leases(integration),
  });
}

const SIZES = { small, created, medium, large };

/** Which record of which integration the n-th request is about. */
export const place = (n, { integrations = 16, records = 1_000 }) => ({
  integration: `int_${n % integrations}`,
  record: `lease_${Math.floor(n / integrations) % records}`,
});

/**
 * The n-th webhook of a measurement.
 * - `integrations`: spread over this many;
 * - `records`: each of so many records of an integration in turn;
 * - `wrong`: signed with another secret.
 */
export function webhook(n, { size = "small", wrong = false, ...spread }) {
  const { integration, record } = place(n, spread);
  const body = SIZES[size](integration, record, n);
  const signature = sign(body, wrong ? "not the secret" : undefined);
  return { integration, body, signature };
}

/** The same as the bytes of a request. */
export function request(n, { port, ...spec }) {
  const { integration, body, signature } = webhook(n, spec);
  const head = [
    "POST /webhooks/propexo HTTP/1.1",
    `host: 127.0.0.1:${port}`,
    "content-type: application/json",
    `content-length: ${Buffer.byteLength(body)}`,
    `propexo-signature: ${signature}`,
    // For the floor, which reads nothing else.
    `x-integration: ${integration}`,
  ];
  return Buffer.from(`${head.join("\r\n")}\r\n\r\n${body}`);
}
