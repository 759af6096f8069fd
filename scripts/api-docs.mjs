// docs/api.md, made from the API's description, which the Worker serves too. `npm run api-docs` writes
// it; a test fails when it isn't what this makes.

import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { inRoot } from "./lib/paths.mjs";

const METHODS = ["get", "post"];
const LINE_MAX = 120;
/** What nearly every operation has is said once, at the top. */
const COMMON_PARAMETERS = ["source", "integration"];
const COMMON_ANSWERS = ["BadToken", "MethodNotAllowed"];
const FILE = inRoot("docs", "api.md");

/** The description as the repository has it. */
export const description = () => JSON.parse(readFileSync(inRoot("src", "api", "openapi.json"), "utf8"));

/** docs/api.md as it should be. */
export function apiPage(api = description()) {
  const parts = [
    `# The API

<!-- Made by scripts/api-docs.mjs from src/api/openapi.json: \`npm run api-docs\`. Don't edit it here. -->

${api.info.description}

The same as an OpenAPI ${api.openapi} description is at \`GET /openapi.json\`, of the version that answers; this
page is of version ${api.info.version}.

${authentication(api)}`,
    overview(api),
    ...api.tags.map((tag) => section(api, tag)),
    problems(api),
    schemas(api),
  ];
  return `${parts.join("\n\n")}\n`;
}

const follow = (api, node) => {
  if (!node?.$ref) return node;
  const at = node.$ref
    .slice(2)
    .split("/")
    .reduce((found, part) => found[part], api);
  return follow(api, at);
};

/** Operations in the order of the description, with their path and all of their parameters. */
function operations(api) {
  return Object.entries(api.paths).flatMap(([path, item]) =>
    METHODS.filter((method) => method in item).map((method) => ({
      ...item[method],
      method: method.toUpperCase(),
      path,
      parameters: [...(item.parameters ?? []), ...(item[method].parameters ?? [])].map((one) => follow(api, one)),
    })),
  );
}

// A cell of a table is one line, in which a bar would end it.
const cell = (text) => text.replaceAll("|", "\\|").replaceAll("\n", " ");
const row = (...cells) => `| ${cells.map(cell).join(" | ")} |`;
const table = (head, rows) =>
  [row(...head), row(...head.map(() => "---")), ...rows.map((cells) => row(...cells))].join("\n");

/** A block of JSON; what is short enough stands on one line. */
function json(value) {
  const line = JSON.stringify(value);
  const text = line.length <= LINE_MAX ? line : JSON.stringify(value, undefined, 2);
  return `\`\`\`json\n${text}\n\`\`\``;
}

const slug = (title) =>
  title
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, "")
    .replaceAll(" ", "-");
const title = ({ method, path }) => `${method} ${path}`;

function authentication(api) {
  const { token, ...signatures } = api.components.securitySchemes;
  const { parameters, responses } = api.components;
  const common = COMMON_PARAMETERS.map((name) => `\`{${name}}\` is the ${lower(parameters[name].description)}`);
  const refused = Object.entries({ 401: "BadToken", 405: "MethodNotAllowed" });
  const answers = refused.map(([status, name]) => `**${status}**: ${lower(responses[name].description)}`);
  const rows = Object.values(signatures).map(({ name, description }) => [`\`${name}\``, description]);
  return `Requests to the API carry \`Authorization: Bearer <token>\`. The token: ${lower(token.description)}
Webhooks carry the headers of their source's dialect instead:

${table(["header", "what is in it"], rows)}

What holds for all paths stands here alone. ${common.join(" ")} Any path of the API may be answered with:

${answers.map((answer) => `- ${answer}`).join("\n")}`;
}

const lower = (text) => text[0].toLowerCase() + text.slice(1);

function overview(api) {
  const rows = operations(api).map((one) => [`[\`${title(one)}\`](#${slug(title(one))})`, `${one.summary}.`]);
  return `## All paths\n\n${table(["path", "what it does"], rows)}`;
}

function section(api, { name, description }) {
  const all = operations(api).filter(({ tags }) => tags.includes(name));
  return [`## ${name}\n\n${description}`, ...all.map((one) => operation(api, one))].join("\n\n");
}

function operation(api, one) {
  const parts = [`### ${title(one)}`, one.description ? `${one.summary}. ${one.description}` : `${one.summary}.`];
  if (one.security?.length === 0) parts.push("Open to all: no token is needed.");
  const own = one.parameters.filter(({ name }) => !COMMON_PARAMETERS.includes(name));
  if (own.length) parts.push(parameters(own));
  if (one.requestBody) parts.push(request(one.requestBody));
  parts.push(responses(api, one.responses));
  return parts.join("\n\n");
}

function parameters(all) {
  const rows = all.map(({ name, in: place, description, schema }) => [
    `\`${name}\``,
    place,
    `${description}${limits(schema)}`,
  ]);
  return table(["parameter", "in", "what it is"], rows);
}

function limits(schema) {
  const bounds = "minimum" in schema && "maximum" in schema && [`${schema.minimum} to ${schema.maximum}`];
  const fallback = "default" in schema && [`${schema.default} if not given`];
  const said = [bounds, fallback].filter(Boolean).flat();
  return said.length ? ` (${said.join("; ")})` : "";
}

function request({ description, required, content }) {
  const [{ schema, example, examples }] = Object.values(content);
  const named = schema.$ref && `[${nameOf(schema)}](#${slug(nameOf(schema))})`;
  const what = [
    required ? "A body is required." : "The body may be left out.",
    description,
    named && `It is a ${named}.`,
  ];
  const shown = examples ? Object.values(examples).map(({ value }) => value) : example === undefined ? [] : [example];
  return [what.filter(Boolean).join(" "), ...shown.map(json)].join("\n\n");
}

const nameOf = ({ $ref }) => $ref.split("/").at(-1);

function responses(api, all) {
  const own = Object.entries(all).filter(([, { $ref }]) => !COMMON_ANSWERS.includes($ref?.split("/").at(-1)));
  const rows = own.map(([status, given]) => {
    const { description, content } = follow(api, given);
    const schema = content?.["application/json"]?.schema;
    const named = schema?.$ref ? ` [${nameOf(schema)}](#${slug(nameOf(schema))})` : "";
    return [status, `${description}${named}`];
  });
  const [good] = Object.values(all).map((given) => follow(api, given).content?.["application/json"]?.example);
  return [table(["status", "answer"], rows), ...(good === undefined ? [] : [json(good)])].join("\n\n");
}

function problems(api) {
  const seen = new Map();
  for (const given of Object.values(api.components.responses)) {
    const example = given.content?.["application/problem+json"]?.example;
    if (example) seen.set(example.type, example);
  }
  const types = api.components.schemas.Problem.properties.type.enum;
  const rows = types.map((type) => [`\`${type}\``, String(seen.get(type)?.status ?? ""), seen.get(type)?.detail ?? ""]);
  return `## Problems

What can't be answered as asked is answered with a problem document (RFC 9457): \`type\`, \`title\`, \`status\`
and \`detail\`. The type is stable, the detail is for people.

${table(["type", "status", "detail, for example"], rows)}`;
}

function schemas(api) {
  const all = Object.entries(api.components.schemas);
  return ["## Schemas", ...all.map(([name, schema]) => `### ${name}\n\n${schemaOf(api, schema)}`)].join("\n\n");
}

function schemaOf(api, schema) {
  const parts = schema.description ? [schema.description] : [];
  const choices = schema.oneOf?.filter(({ properties, type }) => properties && type) ?? [];
  if (schema.properties) parts.push(fields(api, schema));
  else for (const one of choices) parts.push(fields(api, one));
  return parts.join("\n\n");
}

function fields(api, { properties, required = [] }) {
  const rows = Object.entries(properties).map(([name, given]) => {
    const schema = follow(api, given);
    const what = isElsewhere(given) ? "" : [schema.description, words(schema)].filter(Boolean).join(" ");
    return [`\`${name}\`${required.includes(name) ? "" : ", optional"}`, kind(given), what];
  });
  return table(["field", "type", "what it is"], rows);
}

/** Whether it is the field of another schema, where it is described. */
const isElsewhere = ({ $ref }) => $ref?.split("/").length > 4;

/** The words that a field may have, where its description doesn't explain them. */
function words({ enum: all, description = "" }) {
  const left = all?.filter((word) => word !== null && !description.includes(`\`${word}\``)) ?? [];
  if (!left.length) return "";
  return `One of ${left.map((word) => `\`${word}\``).join(", ")}.`;
}

function kind(schema) {
  if (schema.$ref) {
    const name = schema.$ref.split("/")[3];
    return `${isElsewhere(schema) ? "as in " : ""}[${name}](#${slug(name)})`;
  }
  if (schema.items?.$ref) return `list of [${nameOf(schema.items)}](#${slug(nameOf(schema.items))})`;
  if (schema.format === "date-time") return [].concat(schema.type).includes("null") ? "time or null" : "time";
  if ("const" in schema) return `\`${JSON.stringify(schema.const)}\``;
  if (schema.type) return [].concat(schema.type).join(" or ");
  if (schema.oneOf) return schema.oneOf.map(kind).join(" or ");
  return schema.enum?.includes(null) ? "string or null" : "string";
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(FILE, apiPage());
