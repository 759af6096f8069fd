// Workers that stand in for the queue, bound in place of it.

import { RECORDS_QUEUE } from "./leasewire.mjs";

const stub = (sendBatch) => `
  import { WorkerEntrypoint } from "cloudflare:workers";
  export class Queue extends WorkerEntrypoint {
    ${sendBatch}
  }
  export default { fetch: () => new Response("the queue") };
`;

const QUEUES = {
  hangs: stub("async sendBatch() { await new Promise((resolve) => setTimeout(resolve, 3_600_000)); }"),
  throws: stub('async sendBatch() { throw new Error("no queue today"); }'),
  // Says that all is well, but loses the first batch of each integration.
  loses: stub(`
    static lost = new Set();
    async sendBatch(messages) {
      const { source } = JSON.parse(messages[0].body)[0];
      if (!Queue.lost.has(source)) Queue.lost.add(source);
      else await this.env.REAL.sendBatch(messages);
    }`),
};

/** Options for `serve` that put a queue of this kind in place of the real one. */
export function withQueueThat(kind) {
  return {
    adjust(options) {
      options.queueProducers = {};
      options.serviceBindings = { RECORDS: { name: "queue-stub", entrypoint: "Queue" } };
    },
    workers: [
      {
        name: "queue-stub",
        compatibilityDate: "2026-11-01",
        modules: [{ type: "ESModule", path: "stub.mjs", contents: QUEUES[kind] }],
        queueProducers: { REAL: { queueName: RECORDS_QUEUE } },
      },
    ],
  };
}

/** Options for `serve` without any queue to send to. */
export const withoutQueue = {
  adjust(options) {
    options.queueProducers = {};
  },
};

/** Options for `serve` with a queue that takes everything and delivers nothing. */
export const withoutConsumer = {
  adjust(options) {
    delete options.queueConsumers[RECORDS_QUEUE];
  },
};
