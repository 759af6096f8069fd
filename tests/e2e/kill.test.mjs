// workerd dies without a warning, and what was answered with 200 is still there; what was on its way
// is sent again. These are the tests that wait for the ledger's alarm, so they wait together.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { diff } from "./support/bodies.mjs";
import { newFolder, removeFolder } from "./support/folders.mjs";
import { agent } from "./support/http.mjs";
import { RECORDS_QUEUE, serve } from "./support/leasewire.mjs";
import { withoutConsumer, withQueueThat } from "./support/stubs.mjs";
import { until } from "./support/wait.mjs";

/** The alarm comes 60 to 75 s after the first event; the rest is for starting and applying. */
const ALARM_MS_MAX = 75_000 + 20_000;
/** And the one after it 120 to 150 s later. */
const SECOND_ALARM_MS_MAX = ALARM_MS_MAX + 150_000;

const IN_ORDER = { concurrency: 1 };

describe("without a stop", { concurrency: true }, () => {
  describe("workerd is killed while events come in", IN_ORDER, () => {
    const folder = newFolder();
    const QUIET = ["quiet_1", "quiet_2"]; // nobody asks for these after the crash
    const ASKED = ["asked_1", "asked_2"];
    const INTEGRATIONS = [...QUIET, ...ASKED];
    const SENDERS = 12;
    const EVENTS_BEFORE_CRASH = 600;
    const CONFIRMED_BEFORE = 5;

    let worker;
    let killedAt;
    /** By sender, what was answered with 200, in the order of the answers. */
    const kept = Array.from({ length: SENDERS }, () => []);

    before(async () => {
      worker = await serve({ folder });
      for (const integration of INTEGRATIONS) {
        for (let n = 1; n <= CONFIRMED_BEFORE; n += 1) {
          const answer = await worker.post("propexo", diff(integration, `early_${n}`, {}, { n }));
          assert.deepEqual(answer.json, { status: "accepted", seq: n });
        }
      }
      for (const integration of INTEGRATIONS) {
        await worker.confirmed("propexo", integration, CONFIRMED_BEFORE);
      }
      await worker.stop();

      // From here on the queue takes packs and delivers none, so that all of them are lost with it.
      worker = await serve({ folder, ...withoutConsumer });
      let count = 0;
      const via = agent(SENDERS);
      const enough = Promise.withResolvers();
      const senders = kept.map(async (mine, sender) => {
        const integration = INTEGRATIONS[sender % INTEGRATIONS.length];
        for (let n = 0; ; n += 1) {
          // Every third is about a record that all senders write to.
          const record = n % 3 ? `r_${sender}_${n}` : "shared";
          const body = diff(integration, record, {}, { [`f_${sender}_${n}`]: n });
          const answer = await worker.post("propexo", body, { via }).catch(() => undefined);
          if (!answer) return; // that was the crash; no second attempt
          assert.equal(answer.json.status, "accepted");
          mine.push({ integration, record, body, n, sender, seq: answer.json.seq });
          count += 1;
          if (count === EVENTS_BEFORE_CRASH) enough.resolve();
        }
      });
      await enough.promise;
      await worker.kill();
      killedAt = Date.now();
      await Promise.all(senders);
      via.destroy();
      worker = await serve({ folder });
    });
    after(async () => {
      await worker?.stop();
      removeFolder(folder);
    });

    const eventsOf = (integration) => kept.flat().filter((event) => event.integration === integration);

    test("they were lost with the queue, and the ledger knows", async () => {
      // D1 is looked at before anything can be sent again: the ledgers have not been asked yet.
      for (const integration of INTEGRATIONS) {
        const rows = await worker.records("propexo", integration);
        assert.equal(rows.length, CONFIRMED_BEFORE, "nothing of what came last has been applied");
      }
      for (const integration of ASKED) {
        const state = await worker.state("propexo", integration);
        // The watermark of before the crash may be lost: it is written along with later events.
        assert.ok(state.confirmed_seq <= CONFIRMED_BEFORE);
        assert.ok(state.last_seq >= CONFIRMED_BEFORE + eventsOf(integration).length);
        assert.equal(state.pending + state.unconfirmed, state.last_seq - state.confirmed_seq);
      }
    });

    test("each sender's events have numbers in the order they were accepted", () => {
      for (const mine of kept) {
        const seqs = mine.map((event) => event.seq);
        assert.ok(seqs.length > 0);
        assert.deepEqual(
          seqs,
          seqs.toSorted((a, b) => a - b),
        );
      }
    });

    test("a ledger that is asked sends them again at once", async () => {
      for (const integration of ASKED) await arrived(integration, 30_000);
    });

    test("a ledger that nobody asks is woken by its alarm", async () => {
      // One that was opened by the alarm of its first event has to wait for the next one.
      const left_ms = Math.max(0, killedAt + SECOND_ALARM_MS_MAX - Date.now());
      await Promise.all(QUIET.map((integration) => arrived(integration, left_ms)));
    });

    /** All that was answered with 200 is in D1, then confirmed, and numbered without gaps. */
    async function arrived(integration, ms) {
      const events = eventsOf(integration);
      const newest = new Map();
      for (const { record, seq } of events) newest.set(record, Math.max(seq, newest.get(record) ?? 0));
      let rows = [];
      await until(
        `D1 to have all ${newest.size} records of ${integration}`,
        async () => {
          rows = await worker.records("propexo", integration);
          const versions = new Map(rows.map((row) => [row.record_id, row.version]));
          return [...newest].every(([record, seq]) => versions.get(record) >= seq);
        },
        { ms, pause_ms: 500 },
      );
      const fields = new Map(rows.map((row) => [row.record_id, JSON.parse(row.fields)]));
      for (const { record, sender, n } of events) {
        assert.equal(fields.get(record)[`f_${sender}_${n}`], n, "every change is in its record");
      }
      const last = Math.max(...newest.values());
      const state = await worker.confirmed("propexo", integration, last, { ms: 20_000 });
      assert.equal(state.dead, 0);
      const log = await worker.events("propexo", integration);
      assert.deepEqual(
        log.map((event) => event.seq),
        log.map((_event, index) => index + 1),
      );
      assert.equal(new Set(events.map((event) => event.seq)).size, events.length);
      for (const { record, seq } of events) assert.equal(log[seq - 1].record_id, record);
      // What was in flight may have been kept without an answer: at most one for each connection.
      assert.ok(log.length - CONFIRMED_BEFORE - events.length <= SENDERS);
      // A sender that got no answer sends again: it's a duplicate if it was kept.
      const { body, seq } = events.at(-1);
      assert.deepEqual((await worker.post("propexo", body)).json, { status: "duplicate", seq });
    }
  });

  describe("the queue loses a pack, and nobody notices", () => {
    let worker;
    before(async () => {
      worker = await serve(withQueueThat("loses"));
    });
    after(() => worker?.stop());

    test("the alarm sends it again", async () => {
      assert.equal((await worker.post("propexo", diff("int_1", "lease_1", {}, { n: 1 }))).json.seq, 1);
      const sent = await until("the first pack to be sent", async () => {
        const state = await worker.state("propexo", "int_1");
        return state?.unconfirmed === 1 && state;
      });
      assert.equal(sent.pending, 0);
      // The second one arrives, and is confirmed ahead of the first.
      assert.equal((await worker.post("propexo", diff("int_1", "lease_2", {}, { n: 2 }))).json.seq, 2);
      const records = () => worker.records("propexo", "int_1");
      await until("the second to be in D1", async () => (await records()).length === 1);
      const statuses = async () => (await worker.events("propexo", "int_1")).map((event) => event.status);
      await until("the second to be confirmed", async () => (await statuses())[1] === "confirmed");
      assert.deepEqual(await statuses(), ["sent", "confirmed"]);
      assert.equal((await worker.state("propexo", "int_1")).confirmed_seq, 0);
      await worker.confirmed("propexo", "int_1", 2, { ms: ALARM_MS_MAX, pause_ms: 500 });
      const versions = (await records()).map((row) => [row.record_id, row.version]);
      assert.deepEqual(versions, [
        ["lease_1", 1],
        ["lease_2", 2],
      ]);
    });
  });

  describe("the queue loses a pack of a busy integration", () => {
    // More than the ledger looks at in one go, so that all it sees behind the gap is confirmed.
    const AHEAD = 700;
    const PAUSE_MS = 25;
    let worker;
    before(async () => {
      // A slow queue, so that more comes in before the confirmation does.
      const slow = { maxBatchSize: 100, maxBatchTimeout: 5 };
      worker = await serve({ ...withQueueThat("loses"), queues: { [RECORDS_QUEUE]: slow } });
    });
    after(() => worker?.stop());

    test("what comes in while it is sent again isn't held up", async () => {
      const post = async (n) => {
        const answer = await worker.post("propexo", diff("int_1", `lease_${n}`, {}, { n }));
        assert.deepEqual(answer.json, { status: "accepted", seq: n });
      };
      const inD1 = async (n) =>
        (await worker.rows("SELECT version FROM records WHERE record_id = ?", `lease_${n}`)).length === 1;
      await post(1);
      const state = () => worker.state("propexo", "int_1");
      await until("the first pack to be lost", async () => (await state())?.unconfirmed === 1);
      let last = 1;
      const postNext = () => {
        last += 1;
        return post(last);
      };
      while (last < AHEAD) await postNext();
      await until("all the others to be in D1", () => inD1(AHEAD));
      assert.equal((await state()).confirmed_seq, 0);

      // A steady trickle until the alarm has brought the first one.
      await until(
        "the first to be sent again",
        async () => {
          await postNext();
          return inD1(1);
        },
        { ms: ALARM_MS_MAX, pause_ms: PAUSE_MS },
      );
      await worker.confirmed("propexo", "int_1", last, { ms: 15_000 });
    });
  });

  describe("the queue refuses for a while", () => {
    const folder = newFolder();
    let worker;
    before(async () => {
      worker = await serve({ folder, ...withQueueThat("throws") });
    });
    after(async () => {
      await worker?.stop();
      removeFolder(folder);
    });

    test("the next event takes along what was left behind", async () => {
      for (let n = 1; n <= 5; n += 1) {
        assert.equal((await worker.post("propexo", diff("int_1", `lease_${n}`, {}, { n }))).json.seq, n);
      }
      await worker.stop();
      worker = await serve({ folder });
      assert.equal((await worker.post("propexo", diff("int_1", "lease_6", {}, { n: 6 }))).json.seq, 6);
      await worker.confirmed("propexo", "int_1", 6);
      assert.equal((await worker.records("propexo", "int_1")).length, 6);
    });
  });
});
