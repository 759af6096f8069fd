// What is wrong with the API for a while: answers that are broken on purpose.

const LARGE_BYTES = 9 * 1024 * 1024;
const JSON_TYPE = { "content-type": "application/json" };

const status = (code) => () => ({ status: code, body: { error: { code: "broken", message: "broken on purpose" } } });
const first = (results) => (Array.isArray(results) ? results[0] : results);

/** By kind, what becomes of a right answer. */
const KINDS = {
  ...Object.fromEntries([401, 403, 404, 429, 500, 502, 503].map((code) => [code, status(code)])),
  redirect: () => ({ status: 302, headers: { location: "http://elsewhere.example/" }, text: "" }),
  text: () => ({ headers: { "content-type": "text/html" }, text: "<html>not JSON</html>" }),
  cut: ({ body }) => ({ headers: JSON_TYPE, text: JSON.stringify(body).slice(0, -2) }),
  large: () => ({ headers: JSON_TYPE, text: JSON.stringify({ meta: {}, results: ["x".repeat(LARGE_BYTES)] }) }),
  shape: () => ({ body: { meta: {}, results: "none" } }),
  // The first record has the id, or the integration, of another one.
  "other-id": (answer) => changed(answer, { id: "other_id" }),
  "other-integration": (answer) => changed(answer, { integration_id: "int_other" }),
  hang: () => ({ hangs: true }),
};

/** Those that a share of the answers is by chance: they pass by themselves. */
const PASSING = ["500", "502", "503", "redirect", "text", "cut", "shape"];

function changed(answer, fields) {
  const { results } = answer.body;
  if (!first(results)) return {};
  const other = { ...first(results), ...fields };
  return { body: { ...answer.body, results: Array.isArray(results) ? [other, ...results.slice(1)] : other } };
}

export class Faults {
  #faults = [];

  constructor(random, options) {
    Object.assign(this, { random, options });
  }

  /** From now on answers of `kind` for paths that begin with `path`; with `times`, for so many requests. */
  add({ kind, path = "/", times = Infinity }) {
    if (!(kind in KINDS)) throw new Error(`kind is one of ${Object.keys(KINDS).join(", ")}`);
    this.#faults.push({ kind, path, left: times });
  }

  clear() {
    this.#faults = [];
  }

  /** What goes out in place of `answer`. */
  change(path, answer) {
    const fault = this.#faults.find((fault) => fault.left > 0 && path.startsWith(fault.path));
    if (fault) fault.left -= 1;
    const byChance = this.random.chance(this.options["fail-answers"]) && this.random.pick(PASSING);
    const kind = fault?.kind ?? byChance;
    if (!kind) return answer;
    const change = KINDS[kind](answer);
    return { ...answer, ...change, headers: { ...answer.headers, ...change.headers } };
  }
}
