// A gateway that has one of everything: every kind of event, in every state.

import assert from "node:assert/strict";

import { diff, property, unit } from "./bodies.mjs";
import { DEAD_QUEUE, RECORDS_QUEUE, serve } from "./leasewire.mjs";
import { until } from "./wait.mjs";

const SOURCES = {
  propexo: { dialect: "propexo", secret: "PROPEXO_SECRET" },
  propify: { dialect: "propify", secret: "PROPIFY_SECRET" },
  meterbase: { dialect: "meterbase", secret: "METERBASE_SECRET" },
  "real-estate": { dialect: "real-estate", secret: "REAL_ESTATE_SECRET" },
  linked: { dialect: "propexo", secret: "PROPEXO_SECRET", models: ["leases", "unit*"], properties: ["prop_1"] },
};

/** Starts it. `sources` and `secrets` are further ones. */
export async function serveEverything(sources = {}, secrets = {}) {
  const worker = await serve({
    bindings: { SOURCES: { ...SOURCES, ...sources }, ...secrets },
    // A pack dies soon.
    queues: {
      [RECORDS_QUEUE]: { maxRetries: 2, retryDelay: 1, maxBatchTimeout: 0 },
      [DEAD_QUEUE]: { maxBatchTimeout: 0, retryDelay: 1 },
    },
  });
  await send(worker);
  await replay(worker, "propexo", "int_1", 8);
  await replay(worker, "meterbase", "conn_1", 3);
  await die(worker);
  return worker;
}

const flat = (event, rest) => JSON.stringify({ event, integration_id: "int_1", job_id: event, ...rest });

async function send(worker) {
  const ago = (s) => new Date(Date.now() - 1000 * s).toISOString();
  const day = (n) => `2026-03-2${n}T15:00:00.25Z`;
  const bodies = [
    ["propexo", diff("int_1", "lease_9", { status: "pending" }, { status: "approved", rent: 2100.5 })],
    ["propexo", diff("int_1", "lease_9", { status: "approved" }, { status: "active" })],
    // Contradicts what is known.
    ["propexo", diff("int_1", "lease_9", { status: "approved" }, { status: "ended" })],
    ["propexo", flat("FIRST_SYNC_COMPLETE", { is_sync_finished: true })],
    ["propexo", flat("SYNC_COMPLETE", { is_sync_finished: true })],
    ["propexo", flat("JOB_FAILURE", { errors: ["no"] })],
    ["propexo", flat("SOMETHING_ELSE")],
    ["propexo", '{"meta":{"integration_id":"int_1"}}'],
    ["propexo", Buffer.from([0xff, 0xfe])],
    ["propify", diff("int_1", "lease_9", {}, { status: "approved" })],
    ["meterbase", unit("conn_1", { id: "unit_1", status: "vacant" }, ago(3), "data.new")],
    ["meterbase", unit("conn_1", { id: "unit_1", status: "occupied" }, ago(2))],
    ["meterbase", unit("conn_1", { id: "unit_1", status: "vacant" }, ago(1))],
    ["real-estate", property("evt_2", { id: "prop_1", price: 2 }, day(2))],
    // Late.
    ["real-estate", property("evt_1", { id: "prop_1", price: 1 }, day(1), "property.created")],
    ["real-estate", property("evt_3", { id: "prop_1" }, day(3), "property.seen")],
    ["linked", diff("int_1", "lease_9", {}, { property_id: "prop_1" })],
    ["linked", diff("int_1", "lease_8", {}, { property_id: "prop_2" })],
    ["linked", diff("int_1", "lease_7", {}, { property_id: "prop_3" })],
    ["linked", diff("int_1", "resident_1", {}, { property_id: "prop_1" }, "residents")],
  ];
  for (const [source, body] of bodies) {
    const dialect = source === "linked" ? "propexo" : source;
    const answer = await worker.post(source, body, { dialect });
    assert.equal(answer.status, 200, answer.text);
  }
  for (const source of Object.keys(SOURCES)) {
    assert.equal((await worker.api("POST", `sources/${source}/test`, "{}")).status, 200);
  }
  await worker.confirmed("linked", "int_1", 4);
}

async function replay(worker, source, integration, to) {
  await worker.confirmed(source, integration, to);
  const path = `integrations/${source}/${integration}/replay`;
  const asked = await worker.api("POST", path, JSON.stringify({ from: 1, to }));
  assert.equal(asked.status, 202, asked.text);
  await until("the replay to end", async () => (await worker.state(source, integration)).replay?.ended_at);
  await worker.confirmed(source, integration, to);
}

/** Two packs that the database refuses. */
async function die(worker) {
  await worker.db.exec("ALTER TABLE records RENAME TO hidden");
  const dead = (n) =>
    until("an event to be dead", async () => (await worker.state("propexo", "int_dead"))?.dead === n, { ms: 30_000 });
  for (const n of [1, 2]) {
    const body = diff("int_dead", `lease_${n}`, {}, { n });
    assert.equal((await worker.post("propexo", body)).status, 200);
    await dead(n);
  }
  await worker.db.exec("ALTER TABLE hidden RENAME TO records");
}
