// The repository's documents: their blocks of code, headings and links.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { inRoot } from "./paths.mjs";

const namesIn = (...folder) =>
  readdirSync(inRoot(...folder))
    .filter((name) => name.endsWith(".md"))
    .sort();

/** Paths of all documents from the root, in the order in which a reader takes them. */
export const DOCUMENTS = [
  "README.md",
  ...namesIn("docs").map((name) => join("docs", name)),
  ...namesIn(".").filter((name) => name !== "README.md"),
  ...namesIn(".github").map((name) => join(".github", name)),
  ...namesIn(".github", "ISSUE_TEMPLATE").map((name) => join(".github", "ISSUE_TEMPLATE", name)),
];

export const textOf = (document) => readFileSync(inRoot(document), "utf8");

const FENCE = /^( *)```(\w*)$/;

/** A document taken apart: `blocks` of code in their order, and the `prose` around them, line by line. */
export function read(document) {
  const blocks = [];
  const prose = [];
  let open;
  textOf(document)
    .split("\n")
    .forEach((line, at) => {
      const fence = line.match(FENCE);
      if (open && fence) {
        open = undefined;
      } else if (fence) {
        // What stands right before it: another block, but for empty lines.
        const before = prose.findLastIndex((text) => text.trim());
        const [, indent, language] = fence;
        open = {
          where: `${document}:${at + 1}`,
          language,
          lines: [],
          indent,
          follows: before < (blocks.at(-1)?.end ?? Infinity),
        };
        open.end = prose.length;
        blocks.push(open);
      } else if (open) {
        open.lines.push(line.replace(open.indent, ""));
      } else {
        prose.push(line);
      }
    });
  if (open) throw new Error(`${open.where}: a block without an end`);
  return { blocks, prose };
}

/** The commands of a block: one a line, or on several that end with a backslash; without remarks. */
export function commands({ lines }) {
  return lines
    .join("\n")
    .replaceAll("\\\n", " ")
    .split("\n")
    .map((line) => line.replace(/(^|\s+)# .*$/, "").trim())
    .filter(Boolean);
}

/** What links may point to in a document, as GitHub names its headings. */
export function anchors(document) {
  const seen = new Map();
  const headings = read(document)
    .prose.map((line) => line.match(/^#{1,6} (.*)$/)?.[1])
    .filter(Boolean);
  return headings.map((heading) => {
    const plain = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1");
    const name = plain
      .trim()
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-");
    const count = seen.get(name) ?? 0;
    seen.set(name, count + 1);
    return count ? `${name}-${count}` : name;
  });
}

/** Where the links and pictures of a document point to. */
export function links(document) {
  const text = read(document)
    .prose.join("\n")
    .replace(/`[^`\n]+`/g, (code) => code.replace(/[[\]()]/g, " "));
  const inline = [...text.matchAll(/\]\(([^)\s]+)(?: "[^"]*")?\)/g)];
  const html = [...text.matchAll(/\b(?:href|src|srcset)="([^"]+)"/g)];
  return [...inline, ...html].map(([, target]) => target);
}
