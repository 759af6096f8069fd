// Rust, as rust-toolchain.toml asks for it.

import { readFileSync } from "node:fs";

import { run, Stop, step } from "./command.mjs";
import { inRoot } from "./paths.mjs";

const NO_RUST =
  "Rust is missing: there is no rustup in PATH. Install it as https://rustup.rs says, open a new\n" +
  "shell and try again.";

export async function installToolchain() {
  const wanted = pinned();
  // Whoever sets this wants that toolchain, and cargo obeys it too.
  const name = process.env.RUSTUP_TOOLCHAIN || wanted.channel;
  if (await isComplete(name, wanted)) return;
  try {
    await install(name, wanted);
  } catch (error) {
    // No network, perhaps. The same version often goes by another name, such as `stable`.
    const same = await sameVersion(wanted.channel);
    if (!same) throw error;
    if (!(await isComplete(same, wanted))) await install(same, wanted);
    console.log(`Using the toolchain ${same}, which is Rust ${wanted.channel} too.`);
    process.env.RUSTUP_TOOLCHAIN = same;
  }
}

/** The few fields needed, read without a TOML parser: nothing is installed yet. */
function pinned() {
  const text = readFileSync(inRoot("rust-toolchain.toml"), "utf8");
  const list = (key) => [...(text.match(`${key} *= *\\[(.*)\\]`)?.[1] ?? "").matchAll(/"(.*?)"/g)];
  return {
    channel: text.match(/channel *= *"(.*?)"/)[1],
    components: list("components").map((found) => found[1]),
    targets: list("targets").map((found) => found[1]),
  };
}

async function isComplete(name, { components, targets }) {
  let there;
  try {
    there = await rustup("component", "list", "--installed", "--toolchain", name);
  } catch (error) {
    if (error.code === "ENOENT") throw new Stop(NO_RUST);
    return false;
  }
  const has = (start) => there.split("\n").some((line) => line.startsWith(start));
  return components.every((part) => has(part)) && targets.every((part) => has(`rust-std-${part}`));
}

/** Asked for by name, since rustup may be set not to install what a toolchain file wants. */
const install = (name, { components, targets }) =>
  step(`Installing Rust ${name} for ${targets.join(", ")}`, async () => {
    const parts = components.flatMap((part) => ["--component", part]);
    const platforms = targets.flatMap((part) => ["--target", part]);
    await rustup("toolchain", "install", name, "--profile", "minimal", "--no-self-update", ...parts, ...platforms);
  });

async function sameVersion(version) {
  const names = (await rustup("toolchain", "list")).split("\n").map((line) => line.split(" ")[0]);
  for (const name of names.filter(Boolean)) {
    const says = await rustup("run", name, "rustc", "--version").catch(() => "");
    if (says.startsWith(`rustc ${version} `)) return name;
  }
}

const rustup = (...args) => run("rustup", args, { quiet: true });
