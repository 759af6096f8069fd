// The start command, from nothing to a record, and to nothing again.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { parseEnv } from "node:util";

import { diff } from "./support/bodies.mjs";
import { newFolder, removeFolder } from "./support/folders.mjs";
import { request } from "./support/http.mjs";
import { inRoot } from "./support/paths.mjs";
import { alive, family, freePort, Program } from "./support/processes.mjs";
import { headers } from "./support/sign.mjs";
import { until } from "./support/wait.mjs";

/** A first start compiles. */
const START_MS_MAX = 300_000;
const END_MS_MAX = 15_000;

const STOPS = {
  // As a supervisor does it.
  "SIGTERM to the command": (pid) => process.kill(pid, "SIGTERM"),
  // As Ctrl-C does it.
  "SIGINT to all": (pid) => process.kill(-pid, "SIGINT"),
};

const folder = newFolder();
test.after(() => removeFolder(folder));

let records = 0;
for (const [what, stop] of Object.entries(STOPS)) {
  test(`it serves, keeps, and ends after ${what}`, async () => {
    const port = await freePort();
    const args = [inRoot("scripts", "start.mjs"), "--port", String(port), "--persist-to", folder];
    const started = new Program(process.execPath, args, { group: true });
    let everyone = [];
    try {
      const url = `http://127.0.0.1:${port}`;
      await until(
        "/healthz to answer",
        async () => {
          assert.equal(started.code, undefined, "it has ended");
          return (await request(`${url}/healthz`)).json.status === "ok";
        },
        { ms: START_MS_MAX, pause_ms: 100 },
      ).catch((error) => assert.fail(`${error.message}\n${started.output}`));
      everyone = family(started.pid);
      const isRuntime = ({ command }) => command.includes("workerd");
      assert.ok(everyone.some(isRuntime), "there is a workerd to be stopped");

      // Written by the start if there was none.
      assert.ok(existsSync(inRoot(".dev.vars")));
      const secrets = parseEnv(readFileSync(inRoot(".dev.vars"), "utf8"));
      const get = (path) => request(url + path, { headers: { authorization: `Bearer ${secrets.API_TOKEN}` } });
      records += 1;
      const body = diff("int_1", `lease_${records}`, {}, { rent: 2100.5 });
      const signed = headers("propexo", body, { secret: secrets.PROPEXO_SECRET.split("\n")[0] });
      const answer = await request(`${url}/webhooks/propexo`, { method: "POST", headers: signed, body });
      // The second start goes on where the first one ended.
      assert.equal(answer.text, `{"status":"accepted","seq":${records}}`);
      const record = await until("the record to be readable", async () => {
        const answer = await get(`/v1/integrations/propexo/int_1/records/leases/lease_${records}`);
        return answer.status === 200 && answer.json;
      });
      assert.deepEqual(record.fields, { rent: 2100.5 });
    } finally {
      if (started.code === undefined) stop(started.pid);
      await started.end(END_MS_MAX).catch(() => undefined);
      const left = alive(everyone);
      for (const { pid } of left) process.kill(pid, "SIGKILL");
      assert.deepEqual(left, [], `still running after the stop\n${started.output}`);
    }
  });
}
