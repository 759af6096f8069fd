// The tool that makes the JavaScript half of the Worker: see the package in scripts/bindgen.

import { copyFileSync, existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";

import { run, step } from "./command.mjs";
import { fingerprint } from "./fingerprint.mjs";
import { cache, inRoot } from "./paths.mjs";

const source = inRoot("scripts", "bindgen");

const folder = () => {
  const inputs = ["Cargo.toml", "Cargo.lock", "src"].map((name) => join(source, name));
  const key = fingerprint(inputs, process.platform, process.arch).slice(0, 16);
  return join(cache, `bindgen-${key}`);
};

export const bindgen = () => join(folder(), "leasewire-bindgen");

export async function installBindgen() {
  const tool = bindgen();
  if (existsSync(tool)) return;
  await step("Compiling the bindgen tool, once for this machine", async () => {
    const target = join(folder(), "target");
    mkdirSync(target, { recursive: true });
    const manifest = join(source, "Cargo.toml");
    await run(
      "cargo",
      ["build", "--quiet", "--release", "--locked", "--manifest-path", manifest, "--target-dir", target],
      { quiet: true },
    );
    copyFileSync(join(target, "release", "leasewire-bindgen"), `${tool}.new`);
    renameSync(`${tool}.new`, tool);
    rmSync(target, { recursive: true, force: true });
  });
}
