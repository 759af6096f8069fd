// Licences of the packages that are built in or used, and what is known against them.

import { existsSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";

import { run, Stop } from "./command.mjs";
import { inRoot } from "./paths.mjs";
import { Missing, NotHere } from "./tools.mjs";

/** The packages of Rust: the Worker's, and those of the tool that makes its JavaScript half. */
const MANIFESTS = [["Cargo.toml"], ["scripts", "bindgen", "Cargo.toml"]].map((path) => inRoot(...path));

/**
 * What the tools from npm may have besides: nothing of them is deployed. LGPL is libvips, which
 * Miniflare takes along for images.
 */
const FOR_TOOLS = ["0BSD", "CC0-1.0", "LGPL-3.0-or-later"];

/** The check `licences`: each package has one that deny.toml allows. */
export async function licences() {
  const rules = readRules(readFileSync(inRoot("deny.toml"), "utf8"));
  const crates = await Promise.all(MANIFESTS.map(cratesOf));
  const { packages } = JSON.parse(readFileSync(inRoot("package-lock.json"), "utf8"));
  const tools = Object.entries(packages).map(([path, { license }]) => ({ name: path || "package.json", license }));
  const refused = [
    ...refusals(crates.flat(), rules),
    ...refusals(tools, { ...rules, allow: [...rules.allow, ...FOR_TOOLS] }),
  ];
  if (refused.length) throw new Stop(`Licences that deny.toml doesn't allow:\n${refused.join("\n")}`);
}

async function cratesOf(manifest) {
  const args = ["metadata", "--quiet", "--format-version", "1", "--locked", "--manifest-path", manifest];
  return JSON.parse(await run("cargo", args, { quiet: true })).packages;
}

/** The few fields needed of deny.toml: the licences that all may have, and those of some crates. */
export function readRules(text) {
  const words = (list) => [...list.matchAll(/"([^"]*)"/g)].map(([, word]) => word);
  const exceptions = [...text.matchAll(/\{ crate = "([^"]+)", allow = \[([^\]]*)\] \}/g)];
  return {
    allow: words(text.match(/^allow = \[([^\]]*)\]/m)[1]),
    exceptions: new Map(exceptions.map(([, name, list]) => [name, words(list)])),
  };
}

/** A line for each of `packages` whose licence isn't allowed. */
export function refusals(packages, { allow, exceptions }) {
  const isRefused = ({ name, license }) => {
    const allowed = new Set([...allow, ...(exceptions.get(name) ?? [])]);
    return !license || !isMet(license, allowed);
  };
  return packages.filter(isRefused).map(({ name, license }) => `${name}: ${license ?? "none is stated"}`);
}

/** Whether licences of `allowed` are enough for an SPDX expression. Old crates write OR as `/`. */
function isMet(expression, allowed) {
  const words = expression.replaceAll("/", " OR ").match(/[()]|[^\s()]+/g);
  const take = (word) => words[0] === word && words.shift();
  const one = () => {
    if (take("(")) {
      const met = either();
      return take(")") && met;
    }
    const met = allowed.has(words.shift());
    // What comes after WITH takes back a part of what the licence asks for.
    if (take("WITH")) words.shift();
    return met;
  };
  const all = () => {
    let met = one();
    while (take("AND")) met = one() && met;
    return met;
  };
  const either = () => {
    let met = all();
    while (take("OR")) met = all() || met;
    return met;
  };
  const met = either();
  return met && words.length === 0;
}

/**
 * The check `advisories`, and all else that cargo-deny looks at. It takes many minutes to compile,
 * and needs its database from the network, so it runs where it is installed.
 */
export async function advisories() {
  const found = process.env.PATH.split(delimiter).some((folder) => existsSync(join(folder, "cargo-deny")));
  if (!found) throw new NotHere("cargo-deny is not installed: `cargo install --locked cargo-deny`");
  for (const manifest of MANIFESTS) {
    const args = [
      "deny",
      "--locked",
      "--manifest-path",
      manifest,
      "--config",
      inRoot("deny.toml"),
      "check",
      "--hide-inclusion-graph",
    ];
    await run("cargo", args, { quiet: true }).catch((error) => {
      if (/failed to fetch advisory database/.test(error.message)) throw new Missing(error.message);
      throw error;
    });
  }
}
