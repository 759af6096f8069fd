// Tools that some checks need and that not every machine has: schemathesis and typos, which come from
// Python's packages, and promtool, which comes from Debian. Each is installed into target/, once for
// each version.

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { arch, platform } from "node:os";
import { delimiter, join } from "node:path";

import { run, step } from "./command.mjs";
import { fingerprint } from "./fingerprint.mjs";
import { inRoot } from "./paths.mjs";

/** A tool that can't be had now: the message says what is missing. */
export class Missing extends Error {}

/** A tool that is not for machines like this one. */
export class NotHere extends Missing {}

/** Set by .ci/run, where nothing that can be tested may go untested. */
const MUST_RUN = process.env.LEASEWIRE_CI === "1";

/** Whether what ended with `error` may be left out, if that is said. */
export const maySkip = (error) => error instanceof Missing && (!MUST_RUN || error instanceof NotHere);

const quietly = (program, ...args) => run(program, args, { quiet: true });

/**
 * What `make` puts into a folder, made once for each `name`; another process may be making it, too.
 * Gives the folder.
 */
async function once(name, title, make) {
  const place = inRoot("target", "tools", name);
  if (existsSync(place)) return place;
  const folder = `${place}-${process.pid}`;
  try {
    mkdirSync(folder, { recursive: true });
    await step(title, () => make(folder));
    if (!existsSync(place)) renameSync(folder, place);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return place;
}

/** The path of promtool, from PATH or from Debian's package `prometheus`, which needs no root. */
export async function promtool() {
  const found = inPath("promtool");
  if (found) return found;
  if (!inPath("apt-get") || !inPath("dpkg-deb")) throw new NotHere("no promtool in PATH, and no apt-get");
  const folder = await once(`promtool-${arch()}`, "Fetching promtool", async (folder) => {
    // `apt-get download` writes where it stands.
    const download = () => quietly("sh", "-c", 'cd "$0" && apt-get download --quiet prometheus', folder);
    try {
      await download().catch(async () => {
        await quietly("apt-get", "update");
        await download();
      });
    } catch (error) {
      throw new Missing(`the package prometheus can't be had: ${error.message.trim()}`);
    }
    const [file] = readdirSync(folder);
    await quietly("dpkg-deb", "--extract", join(folder, file), folder);
    rmSync(join(folder, file));
  });
  return join(folder, "usr", "bin", "promtool");
}

/** How to run schemathesis, as tests/e2e/support/schemathesis/requirements.txt pins it. */
export async function schemathesis() {
  const packages = await pythonTool(
    "schemathesis",
    inRoot("tests", "e2e", "support", "schemathesis", "requirements.txt"),
  );
  return { python: join(packages, "bin", "python"), args: ["-m", "schemathesis.cli"] };
}

/** The path of typos, as scripts/typos/requirements.txt pins it. */
export async function typos() {
  return join(await pythonTool("typos", inRoot("scripts", "typos", "requirements.txt")), "bin", "typos");
}

/** The folder of an environment of Python with what the file `wanted` lists. */
function pythonTool(name, wanted) {
  const python = newPython();
  const key = fingerprint([wanted], platform(), arch(), python.version).slice(0, 16);
  return once(`${name}-${key}`, `Installing ${name}`, async (folder) => {
    try {
      await environment(python.program, folder);
      const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement", wanted];
      await quietly(join(folder, "bin", "python"), ...pip);
    } catch (error) {
      throw new Missing(error.message.trim());
    }
  });
}

/** Debian leaves `ensurepip` out of Python, which a venv needs; virtualenv brings its own. */
async function environment(python, folder) {
  try {
    await quietly(python, "-m", "venv", folder);
  } catch (error) {
    await quietly(python, "-m", "virtualenv", "--quiet", folder).catch(() => {
      throw error;
    });
  }
}

function newPython() {
  const program = inPath("python3");
  if (!program) throw new Missing("no python3 in PATH");
  const print = "import sys; print(*sys.version_info[:3], sep='.')";
  const version = execFileSync(program, ["-c", print], { encoding: "utf8" }).trim();
  const [major, minor] = version.split(".").map(Number);
  if (major === 3 && minor < 10) throw new Missing(`Python 3.10 is needed, this is ${version}`);
  return { program, version };
}

const inPath = (program) =>
  process.env.PATH.split(delimiter)
    .map((folder) => join(folder, program))
    .find((path) => existsSync(path));
