// The floor: what the platform costs without any of the work. Each request says in a header for
// which integration it is, so that nothing needs to be read or verified.

import { DurableObject } from "cloudflare:workers";

export class Ledger extends DurableObject {
  #sql;

  constructor(ctx, env) {
    super(ctx, env);
    this.#sql = ctx.storage.sql;
    this.#sql.exec("CREATE TABLE IF NOT EXISTS events (seq INTEGER PRIMARY KEY, body BLOB)");
  }

  async insert(body) {
    return this.#sql.exec("INSERT INTO events (body) VALUES (?) RETURNING seq", body).one().seq;
  }
}

const headers = { "content-type": "application/json" };

const floors = {
  /** Answers, and nothing else. */
  async answer(request) {
    await request.arrayBuffer();
    return 1;
  },
  /** Inserts one row into a Durable Object, and nothing else. */
  async insert(request, env) {
    const integration = request.headers.get("x-integration");
    const ledger = env.LEDGER.get(env.LEDGER.idFromName(integration));
    return ledger.insert(await request.arrayBuffer());
  },
};

export default {
  async fetch(request, env) {
    const seq = await floors[env.FLOOR](request, env);
    return new Response(`{"status":"accepted","seq":${seq}}`, { headers });
  },
};
