// HTTP with nothing between a test and the bytes on the wire: repeated headers stay repeated, and a
// body goes out with or without its length, as the test says.

import http from "node:http";

/** The tests' connections: at most `connections` at a time, each used again. */
export const agent = (connections) => new http.Agent({ keepAlive: true, maxSockets: connections });

const shared = agent(16);

const TRIES = 5;

/**
 * Sends a request. `body` is a string or bytes, sent with its length; a list of them is sent in
 * chunks, without one. Gives the answer, even where it comes before all of the body was sent.
 */
export async function request(url, options) {
  for (let tried = 1; ; tried++) {
    try {
      return await send(url, options);
    } catch (error) {
      // A refused body may break the connection before its answer could be read.
      if (error.code !== "EPIPE" || tried === TRIES) throw error;
    }
  }
}

function send(url, { method = "GET", headers = {}, body, via = shared, ms = 30_000 } = {}) {
  return new Promise((resolve, reject) => {
    const outgoing = http.request(url, { method, headers, agent: via, timeout: ms });
    let answered = false;
    outgoing.on("response", (incoming) => {
      answered = true;
      const parts = [];
      incoming.on("data", (part) => parts.push(part));
      incoming.on("error", reject);
      incoming.on("end", () => {
        const { statusCode: status, headers } = incoming;
        resolve(new Answer(status, headers, Buffer.concat(parts)));
      });
    });
    outgoing.on("timeout", () => outgoing.destroy(new Error(`${method} ${url}: silent for ${ms} ms`)));
    // Refusing a body half-way breaks the connection: not an error once the answer is there.
    outgoing.on("error", (error) => answered || reject(error));
    if (Array.isArray(body)) {
      for (const chunk of body) outgoing.write(chunk);
      outgoing.end();
    } else {
      if (body !== undefined) outgoing.setHeader("content-length", Buffer.byteLength(body));
      outgoing.end(body);
    }
  });
}

class Answer {
  constructor(status, headers, bytes) {
    this.status = status;
    this.headers = headers;
    this.text = bytes.toString();
  }

  get json() {
    return JSON.parse(this.text);
  }
}
