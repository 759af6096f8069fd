// A Worker whose doings are known, to check how they are counted.

import { DurableObject } from "cloudflare:workers";

const DOINGS = {
  /** Three tables and an index at once. */
  schema: ({ sql }) =>
    sql.exec(`-- Several statements.
      CREATE TABLE a (n INTEGER PRIMARY KEY, t TEXT);
      CREATE TABLE b (n INTEGER PRIMARY KEY) WITHOUT ROWID;
      CREATE TABLE c (n INTEGER PRIMARY KEY);
      CREATE INDEX a_by_t ON a (t)`),
  /** Ten rows into a table with an index: twenty. */
  insert: ({ sql }) => {
    for (let n = 0; n < 10; n += 1) sql.exec("INSERT INTO a (n, t) VALUES (?, ?)", n, `t${n}`);
  },
  /** A table, a view of it, and a trigger with two statements. */
  trigger: ({ sql }) =>
    sql.exec(`CREATE TABLE d (n INTEGER PRIMARY KEY); CREATE VIEW e AS SELECT n FROM d;
      CREATE TRIGGER f INSTEAD OF INSERT ON e BEGIN
        INSERT INTO d (n) VALUES (new.n); -- One row;
        INSERT INTO d (n) VALUES (new.n + 100);
      END;
      -- and two more.
      INSERT INTO d (n) VALUES (50), (51);`),
  throughTrigger: ({ sql }) => sql.exec("INSERT INTO e (n) VALUES (1)"),
  plain: ({ sql }) => sql.exec("INSERT INTO b (n) VALUES (1), (2), (3)"),
  nothing: ({ sql }) => sql.exec("INSERT INTO b (n) VALUES (1) ON CONFLICT DO NOTHING"),
  read: ({ sql }) => [...sql.exec("SELECT * FROM b")],
  delete: ({ sql }) => sql.exec("DELETE FROM b WHERE n < 3"),
  drop: ({ sql }) => sql.exec("DROP TABLE a"),
  alarm: (storage) => storage.setAlarm(Date.now() + 100),
  alarmLater: (storage) => storage.setAlarm(Date.now() + 60_000),
  alarmTakenBack: (storage) => storage.deleteAlarm(),
  alarmTomorrow: (storage) => storage.setAlarm(Date.now() + 86_400_000),
  sleep: () => new Promise((resolve) => setTimeout(resolve, 300)),
  /** Awake for as long although the answer comes at once. */
  after: () => void setTimeout(() => {}, 300),
  forgotten: () => clearTimeout(setTimeout(() => {}, 5_000)),
  uncounted: (storage) => storage.put("key", "value"),
  send: (_storage, env) =>
    env.RECORDS.sendBatch(
      ["", "again", "x".repeat(63_900), "x".repeat(63_901)].map((body) => ({ body, contentType: "text" })),
    ),
};

export class Ledger extends DurableObject {
  async act(name) {
    await DOINGS[name](this.ctx.storage, this.env);
  }

  alarm() {}
}

export default {
  async fetch(request, env) {
    const name = new URL(request.url).pathname.slice(1);
    if (name === "d1") {
      const insert = env.DB.prepare("INSERT INTO integrations (source, integration, last_seq) VALUES (?, '', 0)");
      await env.DB.batch([insert.bind("a"), insert.bind("b")]);
    } else if (name === "log") {
      console.log("one");
      console.warn("two");
    } else if (name === "now") {
      return new Response(Date.now());
    } else if (name in DOINGS) {
      try {
        await env.LEDGER.get(env.LEDGER.idFromName("one")).act(name);
      } catch (error) {
        return new Response(error.message);
      }
    }
    return new Response("");
  },

  async queue({ messages }) {
    for (const message of messages) if (message.body === "again" && message.attempts === 1) message.retry();
  },
};
