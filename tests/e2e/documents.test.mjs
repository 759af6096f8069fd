// The documents: every command in them is run against a started gateway, or is in the list of those that
// can't be; every link leads somewhere; and what the code has is named in them.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";

import { Control } from "../../examples/provider/control.mjs";
import { startProvider } from "../../examples/provider/server.mjs";
import { apiPage, description } from "../../scripts/api-docs.mjs";
import { NOT_RUN } from "./support/commands.mjs";
import { newFolder, removeFolder } from "./support/folders.mjs";
import { request } from "./support/http.mjs";
import { exact } from "./support/json.mjs";
import { anchors, commands, DOCUMENTS, links, read, textOf } from "./support/markdown.mjs";
import { inRoot } from "./support/paths.mjs";
import { freePort, Program } from "./support/processes.mjs";
import { SECRETS } from "./support/sign.mjs";
import { until } from "./support/wait.mjs";

/** A first start compiles, and so does the first run of the sender. */
const START_MS_MAX = 300_000;
const RUN_MS_MAX = 300_000;
const END_MS_MAX = 15_000;
const SHELLS = ["sh", "bash"];

/** Where the documents find the gateway. */
const ADDRESS = "http://localhost:8787";

const all = DOCUMENTS.map((document) => ({ document, ...read(document) }));

describe("commands", () => {
  const folder = newFolder();
  let started;
  let provider;
  let url;
  before(async () => {
    const port = await freePort();
    url = `http://127.0.0.1:${port}`;
    // Its webhooks are registered, and it sends none: the documents show what they themselves have sent.
    provider = { port: await freePort() };
    const { stop, control } = await startProvider({ port: provider.port, gateway: url, lose: 1, secret: "unused" });
    control.switch({ life: false, syncs: false, webhooks: false });
    provider.stop = stop;
    // `npm start`, with the secrets that the documents use, whatever is in .dev.vars.
    const args = [
      inRoot("scripts", "start.mjs"),
      "--port",
      String(port),
      "--persist-to",
      folder,
      "--env-file",
      ".dev.vars.example",
      "--provider",
      `http://localhost:${provider.port}`,
    ];
    started = new Program(process.execPath, args, { group: true });
    const answers = async () => {
      if (started.code !== undefined) return true;
      return (await request(`${url}/healthz`)).json.database === "ready";
    };
    await until("the gateway to answer", answers, { ms: START_MS_MAX, pause_ms: 100 }).catch((error) =>
      assert.fail(`${error.message}\n${started.output}`),
    );
    assert.equal(started.code, undefined, started.output);
  });
  after(async () => {
    if (started?.code === undefined) process.kill(started.pid, "SIGTERM");
    await started?.end(END_MS_MAX).finally(() => removeFolder(folder));
    await provider.stop?.();
  });

  for (const { document, blocks } of all) {
    const shells = blocks.filter(({ language }) => SHELLS.includes(language));
    if (!shells.length) continue;
    test(`of ${document}`, async () => {
      // What one block of a document sets, the later ones have.
      const set = [];
      for (const block of shells) {
        const next = blocks[blocks.indexOf(block) + 1];
        const shown = next?.follows && ["json", "text"].includes(next.language) ? next : undefined;
        const [last, ...before] = commands(block).reverse();
        for (const command of before.reverse()) await obey(command, set, block);
        await obey(last, set, block, shown);
      }
    });
  }

  async function obey(command, set, { where }, shown) {
    try {
      if (/^\w+=(\S+|'.*'|\$\(.*\))$/.test(command)) {
        set.push(command);
        return;
      }
      const not = NOT_RUN.find(({ like }) => like.test(command));
      if (not) {
        assert.equal(shown, undefined, `its output is shown, and it isn't run: ${not.why}`);
        await not.check(command);
        return;
      }
      await compared(runnable(command), set, shown);
    } catch (error) {
      assert.fail(`${where}: ${command}\n${error.message}`);
    }
  }

  /** A command as it can be run here. One that isn't known to be harmless is not. */
  function runnable(command) {
    if (command.startsWith("curl ") && command.includes(` ${ADDRESS}/`)) {
      return command.replace("curl ", "curl --silent --show-error ").replaceAll(ADDRESS, url);
    }
    if (/^cargo run --example send( --|$)/.test(command)) {
      const quiet = command.replace("cargo run", "cargo run --quiet --locked");
      return command.includes(" -- ") ? `${quiet} --to ${url}` : quiet;
    }
    return assert.fail("it is neither run nor in the list of those that can't be: see support/commands.mjs");
  }

  async function compared(command, set, shown) {
    const script = ["set -euo pipefail", ...set, command].join("\n");
    const look = async () => {
      const { stdout } = await promisify(execFile)("bash", ["-c", script], {
        cwd: inRoot(),
        env: { ...process.env, ...SECRETS },
        timeout: RUN_MS_MAX,
      });
      if (shown) same(stdout, shown);
      else assert.doesNotMatch(stdout, /urn:leasewire:problem/);
      return true;
    };
    // What is only read may take a moment to be as it is shown.
    const isRead = /^curl /.test(command) && !/ (-X|-d|--data)\b/.test(command);
    if (isRead) await until(command, look);
    else await look();
  }
});

/** Compares an output with the block that shows it: a JSON value, or lines that must be among it. */
function same(output, { language, lines }) {
  const shown = lines.join("\n");
  if (language === "json") {
    alike(exact(shown), exact(output), "");
    return;
  }
  const there = output.split("\n");
  for (const line of lines) {
    const pattern = new RegExp(
      `^${line
        .split("…")
        .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"))
        .join(".*")}$`,
    );
    assert.ok(
      there.some((one) => pattern.test(one)),
      `no line is like ${line} in\n${output}`,
    );
  }
}

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/;

/** The same, but for times, epochs, and what is shown as `…`. Numbers are compared as they are written. */
function alike(shown, found, at) {
  const where = `${at || "the output"}: ${JSON.stringify(found)}, and the document shows ${JSON.stringify(shown)}`;
  if (shown === "…" || (TIME.test(shown) && TIME.test(found))) return;
  if (at.endsWith(".epoch")) {
    assert.match(String(found?.text), /^[1-9]\d{12}$/, where);
  } else if (shown?.constructor === Object || Array.isArray(shown)) {
    assert.deepEqual(Object.keys(found ?? {}).sort(), Object.keys(shown).sort(), where);
    for (const key of Object.keys(shown)) alike(shown[key], found[key], `${at}.${key}`);
  } else {
    assert.deepEqual(found, shown, where);
  }
}

describe("within sentences", () => {
  const code = all.flatMap(({ document, prose }) =>
    [...prose.join("\n").matchAll(/`([^`\n]+)`/g)].map(([, text]) => ({ document, text })),
  );

  test("commands are such as there are", async () => {
    const found = code.filter(({ text }) => /^(npm|npx|wrangler) [a-z]/.test(text));
    assert.ok(found.length >= 8);
    for (const { document, text } of found) {
      const command = text.replace(/^wrangler /, "npx wrangler ");
      const known = NOT_RUN.find(({ like }) => like.test(command));
      assert.ok(known, `${document}: ${text}`);
      await known.check(command);
    }
  });

  test("paths are the API's", () => {
    const { paths } = description();
    const found = code.map(({ document, text }) => [document, ...(text.match(/^(GET|POST) (\/\S*)$/) ?? [])]);
    const named = found.filter(([, text]) => text);
    assert.ok(named.length >= 20);
    for (const [document, text, method, path] of named) {
      // Those of the pretend provider are its own; that there is nothing to answer from is no matter here.
      const isProviders = path.startsWith("/_provider/") && new Control({}).answer({ method, path }).status !== 404;
      assert.ok(isProviders || paths[path]?.[method.toLowerCase()], `${document}: ${text}`);
    }
  });
});

test("JSON that is shown is JSON", () => {
  for (const { blocks } of all) {
    for (const { where, language, lines } of blocks) {
      if (language === "json") assert.doesNotThrow(() => JSON.parse(lines.join("\n")), where);
    }
  }
});

describe("links", () => {
  for (const { document } of all) {
    test(`of ${document} lead somewhere`, () => {
      for (const target of links(document)) {
        if (/^[a-z]+:/.test(target)) {
          assert.equal(new URL(target).protocol, "https:", target);
          continue;
        }
        const [path, anchor] = target.split("#");
        const file = path ? normalize(join(dirname(document), path)) : document;
        assert.ok(existsSync(inRoot(file)), `${target}: there is no ${file}`);
        if (anchor === undefined) continue;
        assert.ok(anchors(file).includes(anchor), `${target}: ${file} has no #${anchor}`);
      }
    });
  }

  test("from other files into the documents lead somewhere", () => {
    const IGNORED = /^(\.git|node_modules|target|build|\.wrangler)$/;
    const files = readdirSync(inRoot())
      .filter((name) => !IGNORED.test(name))
      .flatMap((name) => {
        if (!statSync(inRoot(name)).isDirectory()) return [name];
        const inside = readdirSync(inRoot(name), { recursive: true, withFileTypes: true });
        return inside
          .filter((entry) => entry.isFile())
          .map((entry) => join(entry.parentPath, entry.name).slice(inRoot().length + 1));
      })
      .filter((name) => /\.(rs|m?js|ya?ml|toml|sql|json)$/.test(name) && !/target|golden|node_modules/.test(name));
    assert.ok(files.length > 300, "most files are missing");
    let seen = 0;
    for (const file of files) {
      const text = readFileSync(inRoot(file), "utf8");
      for (const [found, name, anchor] of text.matchAll(/\b(docs\/[a-z]+\.md)(?:#([\w-]+))?/g)) {
        seen += 1;
        assert.ok(existsSync(inRoot(name)), `${file}: ${found}`);
        if (anchor) assert.ok(anchors(name).includes(anchor), `${file}: ${found}`);
      }
    }
    assert.ok(seen >= 4);
  });

  test("the README leads to every document", () => {
    const reached = new Set(links("README.md").map((target) => target.split("#")[0]));
    for (const document of DOCUMENTS.slice(1).filter((name) => !name.startsWith(".github"))) {
      assert.ok(reached.has(document), `README.md has no link to ${document}`);
    }
  });
});

test("docs/api.md is made from the API's description", () => {
  assert.ok(textOf("docs/api.md") === apiPage(), "docs/api.md isn't what the description makes: `npm run api-docs`");
});

describe("what the code has is documented:", () => {
  const page = (document) => textOf(document);
  const inCode = (text, word) => text.includes(`\`${word}\``) || text.includes(`\`${word}{`);

  /** The one file of `src/` in which `pattern` is found, and what it finds. */
  function inSource(pattern) {
    const files = readdirSync(inRoot("src"), { recursive: true }).filter((name) => name.endsWith(".rs"));
    const found = files.map((name) => readFileSync(inRoot("src", name), "utf8").match(pattern)).filter(Boolean);
    assert.equal(found.length, 1, `${pattern} is found in ${found.length} files`);
    return found[0][1];
  }

  test("settings of sources", () => {
    const list = inSource(/let known = \[\s*("dialect",[^\]]*)\]/);
    const settings = [...list.matchAll(/"(\w+)"/g)].map(([, name]) => name);
    assert.ok(settings.length >= 9, settings.join());
    for (const name of settings) assert.ok(inCode(page("docs/configuration.md"), name), name);
  });

  test("metrics", () => {
    const files = readdirSync(inRoot("src"), { recursive: true }).filter((name) => name.endsWith(".rs"));
    const text = files.map((name) => readFileSync(inRoot("src", name), "utf8")).join("\n");
    // Parts of the histogram are Prometheus' own.
    const names = new Set([...text.matchAll(/"(leasewire_\w+)"/g)].map(([, name]) => name));
    const own = [...names].filter((name) => !/^leasewire_confirmation_seconds_(bucket|sum|count)$/.test(name));
    assert.ok(own.length >= 15, own.join());
    for (const name of own) assert.ok(inCode(page("docs/operating.md"), name), name);
  });

  test("alerts", () => {
    const rules = readFileSync(inRoot("examples", "monitoring", "alerts.yml"), "utf8");
    const names = [...rules.matchAll(/- alert: (\w+)/g)].map(([, name]) => name);
    assert.ok(names.length >= 11);
    for (const name of names) assert.ok(inCode(page("docs/operating.md"), name), name);
  });

  test("tables and columns of D1", () => {
    const events = page("docs/events.md");
    const sql = readdirSync(inRoot("migrations"))
      .map((name) => readFileSync(inRoot("migrations", name), "utf8"))
      .join("\n");
    const tables = [...sql.replace(/--.*$/gm, "").matchAll(/CREATE TABLE (\w+) \(([^;]*)\)[^;)]*;/g)];
    assert.ok(tables.length >= 7);
    for (const [, table, columns] of tables) {
      assert.ok(inCode(events, table) || events.includes(`### ${table}\n`), table);
      // Its counters are named by what they count.
      if (table === "metrics") continue;
      for (const [, column] of columns.matchAll(/^\s+([a-z_]+) [A-Z]/gm)) {
        assert.ok(inCode(events, column), `${table}.${column}`);
      }
    }
  });

  test("reasons, types of events and statuses", () => {
    const { Entry, CloudEvent, Problem } = description().components.schemas;
    const events = page("docs/events.md");
    for (const word of [...Entry.properties.reason.enum, ...CloudEvent.properties.type.enum])
      assert.ok(inCode(events, word), word);
    for (const word of Entry.properties.status.enum) assert.ok(inCode(page("docs/concepts.md"), word), word);
    for (const word of Problem.properties.type.enum) assert.ok(inCode(page("docs/api.md"), word), word);
  });

  test("npm's scripts", () => {
    const { scripts } = JSON.parse(readFileSync(inRoot("package.json"), "utf8"));
    const text = all.flatMap(({ blocks }) => blocks.flatMap(commands)).join("\n");
    for (const name of Object.keys(scripts)) assert.match(text, new RegExp(`^npm (run )?${name}\\b`, "m"), name);
  });
});
