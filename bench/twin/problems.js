// Every refusal, made once: its status, its headers and its body (RFC 9457).

/** Headers of every answer: nobody may keep it, or take it for anything else than it says. */
export const COMMON = { "x-content-type-options": "nosniff", "cache-control": "no-store" };

function problem(status, label, title, detail, headers = {}) {
  const type = `urn:leasewire:problem:${label.replaceAll("_", "-")}`;
  return {
    status,
    label,
    body: JSON.stringify({ type, title, status, detail }),
    headers: { "content-type": "application/problem+json", ...COMMON, ...headers },
  };
}

const all = [
  problem(
    401,
    "bad_signature",
    "Bad signature",
    "The request is not signed with a secret of this source, or its signature is too old.",
    { "www-authenticate": "Signature" },
  ),
  problem(404, "unknown_source", "Unknown source", "No source of this name is configured."),
  problem(404, "not_found", "Not found", "There is nothing at this path."),
  problem(408, "too_slow", "Body too slow", "The body took too long. Send it again."),
  problem(413, "too_large", "Body too large", "A body has at most 1048576 bytes."),
  problem(
    503,
    "source_not_ready",
    "Source not ready",
    "This source is not fully configured: see the log for what is missing.",
    { "retry-after": "30" },
  ),
  problem(
    503,
    "ledger_unavailable",
    "Ledger unavailable",
    "The ledger can't be reached now. Send it again; a repetition has no effect.",
    { "retry-after": "30" },
  ),
];

/** The refusal of a method at a path that takes `allow`. */
export const notAllowed = (allow) =>
  problem(405, "method_not_allowed", "Method not allowed", `This path takes ${allow.replace(", ", " and ")}.`, {
    allow,
  });

export const PROBLEMS = Object.fromEntries(all.map((one) => [one.label, one]));
