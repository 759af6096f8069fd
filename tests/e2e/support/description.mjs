// The API's description, and whether an answer is as it says.

import assert from "node:assert/strict";

import Ajv from "ajv/dist/2020.js";
import addFormats from "ajv-formats";

const METHODS = ["get", "post", "put", "patch", "delete", "head", "options"];
const escaped = (part) => part.replaceAll("~", "~0").replaceAll("/", "~1");

export class Description {
  /** Operations that answers were compared with, as `GET /healthz 200`. */
  seen = new Set();

  constructor(document) {
    this.document = document;
    // Keywords of OpenAPI around the schemas are none of JSON Schema's.
    this.ajv = new Ajv({ strict: false, allErrors: true, coerceTypes: false });
    this.headers = new Ajv({ strict: false, coerceTypes: true });
    for (const ajv of [this.ajv, this.headers]) {
      addFormats.default(ajv);
      ajv.addSchema(document, "openapi", undefined, false);
    }
    this.operations = Object.entries(document.paths).flatMap(([path, item]) =>
      METHODS.filter((method) => method in item).map((method) => ({ path, method, ...item[method] })),
    );
  }

  /** What a pointer leads to, and where that is. */
  #follow(pointer) {
    const parts = pointer.split("/").slice(1);
    const node = parts.reduce((at, part) => at[part.replaceAll("~1", "/").replaceAll("~0", "~")], this.document);
    return node.$ref ? this.#follow(node.$ref.slice(1)) : { node, pointer };
  }

  /** The described path that `path` is one of. */
  pathOf(path) {
    const parts = path.split("?")[0].split("/");
    const fits = (template) => {
      const wanted = template.split("/");
      return wanted.length === parts.length && wanted.every((part, n) => part === parts[n] || part.startsWith("{"));
    };
    // Words before names: `…/events` is no record's model.
    const found = Object.keys(this.document.paths).filter(fits);
    return found.sort((a, b) => a.split("{").length - b.split("{").length)[0];
  }

  /** Fails unless `answer`, to a request of this method and path, is as it is described. */
  check(method, path, answer) {
    const template = this.pathOf(path);
    const name = `${method} ${template} ${answer.status}`;
    const item = this.document.paths[template];
    assert.ok(item, `${method} ${path}: no such path is described`);
    // Another method's answer is described at the one there is.
    const operation = method.toLowerCase() in item ? method.toLowerCase() : METHODS.find((has) => has in item);
    const responses = `/paths/${escaped(template)}/${operation}/responses`;
    assert.ok(answer.status in this.#follow(responses).node, `${name} is not described: ${answer.text}`);
    const response = this.#follow(`${responses}/${answer.status}`);
    if (response.node.content) this.#checkBody(response, name, answer);
    else assert.equal(answer.text, "", `${name} has a body`);
    for (const header of Object.keys(response.node.headers ?? {})) {
      const { node, pointer } = this.#follow(`${response.pointer}/headers/${header}`);
      const value = answer.headers[header];
      assert.ok(value !== undefined || !node.required, `${name} has no ${header}`);
      if (value !== undefined) this.#valid(this.headers, `${pointer}/schema`, value, name);
    }
    // Of every answer.
    assert.equal(answer.headers["x-content-type-options"], "nosniff", name);
    assert.match(answer.headers["cache-control"] ?? "", template === "/openapi.json" ? /./ : /^no-store$/, name);
    this.seen.add(name);
  }

  #checkBody({ node, pointer }, name, answer) {
    const type = answer.headers["content-type"];
    const [media] = type.split(";");
    assert.ok(media in node.content, `${name}: ${type} is not described`);
    const body = media.endsWith("json") ? answer.json : answer.text;
    this.#valid(this.ajv, `${pointer}/content/${escaped(media)}/schema`, body, `${name}: ${answer.text}`);
  }

  /** Fails unless every example is valid; gives how many there are. */
  checkExamples(node = this.document, pointer = "") {
    let count = 0;
    if (node.schema && "example" in node) {
      this.#valid(this.ajv, `${pointer}/schema`, node.example, `${pointer}/example`);
      count += 1;
    }
    for (const [key, child] of Object.entries(node)) {
      if (child && typeof child === "object" && key !== "example") {
        count += this.checkExamples(child, `${pointer}/${escaped(key)}`);
      }
    }
    return count;
  }

  #valid(ajv, pointer, value, what) {
    const validate = ajv.getSchema(`openapi#${encodeURI(pointer)}`);
    assert.ok(validate, `the description has no ${pointer}`);
    // Within an object, so that coercion can change it.
    if (!validate(value, { parentData: { value }, parentDataProperty: "value" })) {
      assert.fail(`${what}\n${ajv.errorsText(validate.errors, { separator: "\n" })}`);
    }
  }
}
