// The Worker itself: Rust to wasm, its JavaScript half, both made small, into build/.

import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

import { bindgen } from "./bindgen.mjs";
import { run, Stop, step } from "./command.mjs";
import { content, fingerprint } from "./fingerprint.mjs";
import { modernNode } from "./node.mjs";
import { cargoTarget, inRoot, installed } from "./paths.mjs";

const description = inRoot("src", "api", "openapi.json");
const compiled = join(cargoTarget, "wasm32-unknown-unknown", "release", "leasewire.wasm");

// What rustc's output and bindgen's catching of exceptions use. Not all features that wasm-opt
// knows: it would use some that workerd doesn't have yet.
const FEATURES = [
  "mutable-globals",
  "sign-ext",
  "nontrapping-float-to-int",
  "bulk-memory",
  "multivalue",
  "reference-types",
  "exception-handling",
].map((name) => `--enable-${name}`);

/** Whether the JavaScript is left readable and the wasm has names, for looking at what was made. */
const readable = process.env.LEASEWIRE_READABLE === "1";

export async function buildWorker() {
  // Cargo knows best what the wasm depends on.
  await step("Compiling the Worker", async () => {
    const args = ["--quiet", "--release", "--lib", "--locked", "--target", "wasm32-unknown-unknown"];
    const warnings = await run("cargo", ["build", ...args, "--target-dir", cargoTarget], { quiet: true });
    if (warnings) console.log(`\n${warnings}`);
  });
  const ours = [inRoot("src", "shell", "entry.js"), description];
  const inputs = [compiled, ...ours, inRoot("scripts"), inRoot("package-lock.json")];
  const wanted = fingerprint(inputs, readable);
  const stamp = inRoot("build", "inputs.sha256");
  if (content(stamp) === wanted) return;
  await step("Bundling it", async () => {
    // Beside the final place, so that moving it there is one rename.
    const folder = inRoot("target", `build-${process.pid}`);
    mkdirSync(folder, { recursive: true });
    try {
      await bind(join(folder, "bound"));
      await bundle(join(folder, "bound", "index.js"), join(folder, "index.js"));
      await run(bindgen(), ["trim", join(folder, "bound", "index_bg.wasm"), join(folder, "index.js")]);
      await shrink(join(folder, "bound", "index_bg.wasm"), folder);
      rmSync(join(folder, "bound"), { recursive: true });
      writeFileSync(join(folder, "inputs.sha256"), wanted);
      const wasm = readFileSync(join(folder, "index_bg.wasm"));
      publish(folder);
      return `${kilobytes(wasm)} of wasm, ${kilobytes(gzipSync(wasm, { level: 9 }))} gzipped`;
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
}

// bindgen looks at each character of a string that goes into wasm, which for packs and large bodies
// takes longer than all that is done with them. The platform's encoder is slow to call, and fast.
const PASS_STRING = "function passStringToWasm0(arg, malloc, realloc) {";
const PASS_LONG_STRING = `
  if (arg.length > 128) {
    let length = arg.length;
    let ptr = malloc(length, 1) >>> 0;
    const encode = (text, from) =>
      cachedTextEncoder.encodeInto(text, getUint8ArrayMemory0().subarray(ptr + from, ptr + length));
    let { read, written } = encode(arg, 0);
    if (read < arg.length) {
      const rest = arg.slice(read);
      const most = written + 3 * rest.length;
      ptr = realloc(ptr, length, most, 1) >>> 0;
      length = most;
      written += encode(rest, written).written;
      ptr = realloc(ptr, length, written, 1) >>> 0;
    }
    WASM_VECTOR_LEN = written;
    return ptr;
  }`;

async function bind(folder) {
  await run(bindgen(), ["bind", compiled, folder]);
  const file = join(folder, "index.js");
  let text = readFileSync(file, "utf8");
  // A module of wasm is imported with plain `import` here.
  text = replaceOnce(text, "import source wasmModule from", "import wasmModule from");
  // After a panic, bindgen would start a new instance at the next call, even one by a closure or an
  // object of the dead instance, whose pointers mean nothing in the new one. So it must not:
  // entry.js does it, between requests, and until then every call into the dead instance throws.
  text = replaceOnce(text, "__wbg_reinit_scheduled = true;", "");
  text = replaceOnce(text, PASS_STRING, `${PASS_STRING}\n${PASS_LONG_STRING}`);
  // Nothing here is disposed of, and without these a class that is never made can go.
  text = text.replace(/^if \(Symbol\.dispose\) .*$/gm, "");
  text = text.replaceAll(": new FinalizationRegistry(", ": /* @__PURE__ */ new FinalizationRegistry(");
  writeFileSync(file, text);
}

function replaceOnce(text, from, to) {
  const parts = text.split(from);
  if (parts.length !== 2) {
    throw new Stop(`bindgen's output has "${from}" ${parts.length - 1} times, not once: see scripts/lib/worker.mjs`);
  }
  return parts.join(to);
}

// The first level gets all of the size: the higher ones make fewer bytes that compress worse, take
// three times as long, and measured no faster after what rustc has done already. Names are an eighth
// of the wasm, so they go into a file beside it: where a stack trace says `wasm-function[17]`, its
// line `17:` has the name.
const shrink = (from, folder) =>
  run(modernNode(), [
    installed("binaryen", "bin", "wasm-opt"),
    from,
    `--output=${join(folder, "index_bg.wasm")}`,
    "-O1",
    // Takes out what sets a local to what it has already.
    "--rse",
    "--vacuum",
    `--symbolmap=${join(folder, "functions.txt")}`,
    ...(readable ? ["-g"] : ["--strip-producers", "--strip-target-features"]),
    ...FEATURES,
  ]);

const bundle = (bound, to) =>
  run(installed(".bin", "esbuild"), [
    inRoot("src", "shell", "entry.js"),
    "--bundle",
    "--format=esm",
    "--target=es2024",
    "--log-level=warning",
    `--alias:leasewire=${bound}`,
    // As it is written: nobody here reads it.
    `--alias:openapi=${description}`,
    "--loader:.json=text",
    "--external:./index_bg.wasm",
    "--external:cloudflare:*",
    `--outfile=${to}`,
    ...(readable ? [] : ["--minify"]),
  ]);

/** The old build goes and the new one comes as a whole. */
function publish(folder) {
  const place = inRoot("build");
  const old = `${folder}-old`;
  if (existsSync(place)) renameSync(place, old);
  renameSync(folder, place);
  rmSync(old, { recursive: true, force: true });
}

const kilobytes = (bytes) => `${Math.round(bytes.length / 1000)} KB`;
