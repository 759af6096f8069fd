// The gateway asks the pretend provider of examples/provider for what webhooks didn't tell: in the end each
// record in D1 is the provider's.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { KEY, MODELS, MS_MAX, Pair } from "./support/pair.mjs";
import { until } from "./support/wait.mjs";

describe("the connector", { concurrency: true }, () => {
  describe("webhooks that are lost, repeated and late, and parts that change alone", () => {
    const pair = new Pair();
    before(() =>
      pair.start({ lose: 0.3, repeat: 0.1, reorder: 0.1, changes: 300, "sync-every": 300, "quiet-after": 6 }),
    );
    after(() => pair.stop());

    test("each record ends as the provider has it", async () => {
      const [integration] = pair.integrations;
      await pair.heard(20);
      await pair.quiet();
      assert.ok(pair.provider.control.state().webhooks.lost > 0, "something was lost");
      await pair.converged();
      const { sources, failures } = await pair.settled();
      assert.deepEqual([sources, failures], [[], []]);

      // What was asked for is in the history.
      const events = await pair.worker.events("propexo", integration);
      const asked = events.filter(({ origin }) => origin === "api");
      assert.ok(asked.length > 50);
      for (const { kind, event } of asked) assert.deepEqual([kind, event], ["record.snapshot", null]);
      const { body, cloudevent } = await pair.worker.event("propexo", integration, asked[0].seq);
      assert.equal(JSON.parse(body).id, asked[0].record_id);
      assert.equal(cloudevent.type, "leasewire.record.snapshot");
      assert.equal(cloudevent.data.partial, false);
    });
  });

  describe("an API that knows no times, and doesn't say whether there is more", () => {
    const pair = new Pair();
    before(() => pair.start({ lose: 0.3, changes: 300, "quiet-after": 4, "old-api": true, "has-more-null": true }));
    after(() => pair.stop());

    test("each record ends as the provider has it", async () => {
      const [integration] = pair.integrations;
      await pair.heard(20);
      await pair.quiet();
      // Parts that have changed alone show in a walk through all, which is asked for here.
      const asked = await pair.worker.api("POST", `integrations/propexo/${integration}/backfill`, "");
      assert.equal(asked.status, 202, asked.text);
      for (const model of MODELS) assert.ok(asked.json.models.includes(model));
      await pair.converged();
    });
  });

  describe("a key that is refused, and then isn't", () => {
    const pair = new Pair();
    before(() => pair.start({ changes: 300 }));
    after(() => pair.stop());

    test("webhooks go on, the state says it, and a command tries again", async () => {
      const [integration] = pair.integrations;
      const { control } = pair.provider;
      await pair.heard(20);
      control.key(null);
      const refused = () => pair.connector().then(({ sources }) => sources.some((source) => source.refused));
      await until("the key to be refused", refused, { ms: MS_MAX });
      const { last_seq } = await pair.worker.state("propexo", integration);
      await pair.heard(last_seq + 1);
      const told = async () =>
        (await pair.worker.metrics()).get('leasewire_provider_key_refused{source="propexo"}') === 1;
      await until("it to be told in the metrics", told, { ms: MS_MAX });
      const asked = () => Object.values(control.state().requests).reduce((sum, count) => sum + count, 0);
      const before = asked();
      control.key(KEY);
      const again = await pair.worker.api(
        "POST",
        `integrations/propexo/${integration}/backfill`,
        '{"models":["leases"]}',
      );
      assert.deepEqual([again.status, again.json], [202, { models: ["leases"] }]);
      await until("it to ask again", () => asked() > before + 3, { ms: MS_MAX });
      assert.ok(!(await refused()));
    });
  });

  describe("more requests than the minute has", () => {
    const pair = new Pair();
    // Another program of the account asks as well.
    before(() => pair.start({ limit: 60, others: 0.5, changes: 300, api: { requests_per_minute: 1_000 } }));
    after(() => pair.stop());

    test("all wait for the next minute, and go on", async () => {
      const { control } = pair.provider;
      const limited = () => control.state().requests[429] ?? 0;
      await until("the limit to be reached", async () => limited() > 0, { ms: MS_MAX });
      const pauses = async () => Date.parse((await pair.connector()).pace.paused_until) > Date.now();
      await until("it to pause", pauses, { ms: MS_MAX });
      const [before, found] = [limited(), control.state().requests[200]];
      await until("it to go on", () => control.state().requests[200] > found + 10, { ms: MS_MAX });
      // Those that were under way, and no others.
      assert.ok(before <= 6 && limited() - before <= 6, `${before}, then ${limited()}`);
    });
  });
});
