/**
 * One task after the other. Negotiation is serial per transport: a second offer made while the first
 * is open would fail in the browser and confuse the server. A failed task does not stop the queue.
 */
export class SerialQueue {
  #tail: Promise<unknown> = Promise.resolve();

  run<Result>(task: () => Promise<Result>): Promise<Result> {
    const result = this.#tail.then(task, task);
    this.#tail = result.catch(() => undefined);
    return result;
  }
}
