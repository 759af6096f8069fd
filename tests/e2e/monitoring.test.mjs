// The dashboard and the alerts in examples/monitoring: they know what the gateway tells, and mean
// what they say.

import assert from "node:assert/strict";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { run } from "../../scripts/lib/command.mjs";
import { promtool } from "../../scripts/lib/tools.mjs";
import { serveEverything } from "./support/everything.mjs";
import { newFolder, removeFolder } from "./support/folders.mjs";
import { request } from "./support/http.mjs";
import { inRoot } from "./support/paths.mjs";
import { SECRETS } from "./support/sign.mjs";
import { tool } from "./support/tools.mjs";

const file = (name) => inRoot("examples", "monitoring", name);
const text = (name) => readFileSync(file(name), "utf8");

const dashboard = JSON.parse(text("grafana.json"));
const panels = dashboard.panels.filter((panel) => panel.type !== "row");
const queries = panels.flatMap((panel) => panel.targets.map((target) => target.expr));

const folder = newFolder();
after(() => removeFolder(folder));

/** Runs promtool, where there is one; gives what it says, or undefined. */
async function promtoolSays(t, ...args) {
  const program = await tool(t, promtool);
  return program && run(program, args, { quiet: true });
}

describe("alerts", () => {
  test("promtool can read the rules", async (t) => {
    const said = await promtoolSays(t, "check", "rules", file("alerts.yml"));
    if (said) assert.match(said, /SUCCESS: 14 rules found/);
  });

  test("promtool can read the configuration", (t) =>
    promtoolSays(t, "check", "config", "--syntax-only", file("prometheus.yml")));

  test("each fires when it should, and not when it shouldn't", (t) =>
    promtoolSays(t, "test", "rules", file("alerts.test.yml")));

  const WRONG = [
    ["_seconds > 300", "_seconds >= 300"],
    ["_seconds > 300", "_seconds > 400"],
    ["_seconds{source=%q} > 300", "_seconds{source=%q}"],
    ["leasewire_events_dead > 0", "leasewire_events_dead > 20"],
    ["min_over_time(leasewire_events_quarantined[30m])", "leasewire_events_quarantined offset 30m"],
    ["min_over_time(leasewire_events_quarantined[30m])", "min_over_time(leasewire_events_quarantined[2h])"],
    ["unless", "or"],
    ["accepted|", ""],
    ["duplicate|", ""],
    ["quarantined|", ""],
    ["ignored|", ""],
    ["pong|", ""],
    ['|ledger_unavailable"}[30m]', '"}[30m]'],
    ['|ledger_unavailable"}[30m]', '|ledger_unavailable|too_large"}[30m]'],
    ['increase(leasewire_deliveries_total{outcome="bad', 'delta(leasewire_deliveries_total{outcome="bad'],
    ['{outcome="source_not_ready"}[30m]', '{outcome="source_not_ready"}[1h]'],
    ["> 0.05", "> 0.5"],
    ["> 0.05", "> 0.005"],
    ["leasewire_ledger_bytes > 0.7", "leasewire_ledger_bytes >= 0.7"],
    ["leasewire_ledger_bytes > 0.7", "leasewire_ledger_bytes > 0.8"],
    ["leasewire_ledger_bytes > 0.9", "leasewire_ledger_bytes >= 0.9"],
    ["leasewire_ledger_bytes > 0.9", "leasewire_ledger_bytes > 0.95"],
    ["{source=%q} > 0.7 * 10e9", "{source=%q}"],
    ["{source=%q} > 0.9 * 10e9", "{source=%q}"],
    ["leasewire_database_bytes > 0.7", "leasewire_database_bytes >= 0.7"],
    ["leasewire_database_bytes > 0.7", "leasewire_database_bytes > 0.8"],
    ["leasewire_database_bytes > 0.9", "leasewire_database_bytes >= 0.9"],
    ["leasewire_database_bytes > 0.9", "leasewire_database_bytes > 0.95"],
    ["leasewire_webhooks_lost_total[1h]) > 0", "leasewire_webhooks_lost_total[1h]) > 4"],
    ["leasewire_webhooks_lost_total[1h])", "leasewire_webhooks_lost_total[3h])"],
    ["_key_refused > 0", "_key_refused > 1"],
    ["_standing_seconds > 3600", "_standing_seconds >= 3600"],
    ["_standing_seconds > 3600", "_standing_seconds > 7200"],
    ["for: 10m", "for: 0m"],
    ["for: 5m", "for: 0m"],
    ['== 0 or absent(up{job="leasewire"})', "== 0"],
    ['up{job="leasewire"} == 0', "up == 0"],
  ];
  for (const [right, wrong] of WRONG) {
    test(`with ${wrong || "nothing"} in place of ${right} a test fails`, async (t) => {
      const program = await tool(t, promtool);
      if (!program) return;
      const rules = text("alerts.yml");
      assert.ok(rules.includes(right), `alerts.yml has no ${right} any more`);
      writeFileSync(join(folder, "alerts.yml"), rules.replaceAll(right, wrong));
      copyFileSync(file("alerts.test.yml"), join(folder, "alerts.test.yml"));
      const testing = run(program, ["test", "rules", join(folder, "alerts.test.yml")], { quiet: true });
      await assert.rejects(testing, /alertname: \w+, time: /);
    });
  }
});

describe("the dashboard", () => {
  test("its queries can be read", async (t) => {
    // As rules, which promtool reads.
    const rules = queries.map((query, n) => ({
      record: `query_${n}`,
      expr: query.replaceAll("$__rate_interval", "4m").replaceAll("$source", ".*"),
    }));
    const path = join(folder, "queries.json");
    writeFileSync(path, JSON.stringify({ groups: [{ name: "queries", rules }] }));
    const said = await promtoolSays(t, "check", "rules", path);
    if (said) assert.match(said, new RegExp(`SUCCESS: ${queries.length} rules found`));
  });

  test("each panel says what it shows, in which unit, and from where", () => {
    const ids = dashboard.panels.map((panel) => panel.id);
    assert.equal(new Set(ids).size, ids.length);
    for (const { title, description, datasource, fieldConfig, targets } of panels) {
      assert.ok(description, title);
      assert.ok(fieldConfig.defaults.unit, title);
      // biome-ignore lint/suspicious/noTemplateCurlyInString: a variable of Grafana's
      assert.equal(datasource.uid, "${datasource}", title);
      const refs = targets.map((target) => target.refId);
      assert.equal(new Set(refs).size, refs.length, title);
    }
  });

  test("no panel lies on another", () => {
    const taken = new Set();
    for (const { title, gridPos } of dashboard.panels) {
      assert.ok(gridPos.x + gridPos.w <= 24, title);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
          assert.ok(!taken.has(`${x} ${y}`), title);
          taken.add(`${x} ${y}`);
        }
      }
    }
  });
});

describe("numbers", () => {
  let worker;
  /** What the gateway tells. */
  let told;
  before(async () => {
    const api = { kind: "propexo", key: "PROPEXO_API_KEY" };
    worker = await serveEverything({ asked: { dialect: "propexo", secret: "PROPEXO_SECRET", api } });
    const headers = { authorization: `Bearer ${SECRETS.API_TOKEN}` };
    const answer = await request(`${worker.url}/metrics`, { headers });
    assert.equal(answer.status, 200, answer.text);
    told = answer.text;
  });
  after(() => worker?.stop());

  const all = (text, pattern) => new Set([...text.matchAll(pattern)].map((found) => found[1]));
  /** Names of metrics; those of a histogram's series are the histogram's. */
  const names = (text) =>
    new Set([...all(text, /\b(leasewire_\w+)/g)].map((name) => name.replace(/_(bucket|sum|count)$/, "")));
  const there = () => all(told, /^# TYPE (\w+) /gm);
  const missing = (wanted, has) => [...wanted].filter((name) => !has.has(name));

  test("promtool finds nothing wrong with them", async (t) => {
    const program = await tool(t, promtool);
    if (!program) return;
    const path = join(folder, "metrics");
    writeFileSync(path, told);
    await run("sh", ["-c", '"$0" check metrics < "$1"', program, path], { quiet: true });
  });

  for (const name of ["grafana.json", "alerts.yml", "alerts.test.yml"]) {
    test(`${name} asks for no other than there are`, () => {
      assert.deepEqual(missing(names(text(name)), there()), []);
      const outcomes = [...all(text(name), /outcome=~?\\?"([\w|]+)/g)].flatMap((words) => words.split("|"));
      assert.deepEqual(missing(outcomes, all(told, /outcome="(\w+)"/g)), []);
    });
  }

  test("the dashboard shows all of them", () => {
    const shown = queries.join("\n") + JSON.stringify(dashboard.templating);
    assert.deepEqual(missing(there(), names(shown)), []);
  });
});
