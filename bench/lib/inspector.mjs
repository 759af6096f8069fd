// The inspector of a subject's isolate, as a browser's tools use it.

class Inspector {
  #socket;
  #last = 0;
  #waiting = new Map();
  #context;

  constructor(socket) {
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => {
      const { id, result, error, method: event, params } = JSON.parse(data);
      if (event === "Runtime.executionContextCreated") this.#context = params.context.id;
      const { resolve, reject, method } = this.#waiting.get(id) ?? {};
      this.#waiting.delete(id);
      if (error) reject?.(new Error(`${method}: ${error.message}`));
      else resolve?.(result);
    });
  }

  ask(method, params) {
    this.#last += 1;
    this.#socket.send(JSON.stringify({ id: this.#last, method, params }));
    return new Promise((resolve, reject) => this.#waiting.set(this.#last, { resolve, reject, method }));
  }

  /** Evaluates an expression in the Worker's own context, and gives a reference to the value. */
  async evaluate(expression) {
    if (this.#context === undefined) {
      await this.ask("Runtime.enable");
      // Else every line that the Worker writes would come here too.
      await this.ask("Runtime.disable");
    }
    const { result } = await this.ask("Runtime.evaluate", { expression, contextId: this.#context });
    return result;
  }

  close() {
    this.#socket.close();
  }
}

/** Connects to the isolate of a `subject` that was started with an `inspectorPort`. */
export async function inspect(subject) {
  const base = (await subject.mf.getInspectorURL()).href.replace("ws:", "http:");
  const targets = await (await fetch(new URL("/json", base))).json();
  const { webSocketDebuggerUrl: url } = targets.find(({ id }) => id.endsWith("leasewire"));
  const socket = new WebSocket(url);
  await new Promise((resolve, reject) => {
    socket.addEventListener("open", resolve);
    socket.addEventListener("error", () => reject(new Error(`no inspector at ${url}`)));
  });
  return new Inspector(socket);
}
