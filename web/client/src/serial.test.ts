import { describe, expect, it } from "vitest";
import { SerialQueue } from "./serial";

describe("SerialQueue", () => {
  it("begins a task when the one before has ended", async () => {
    const queue = new SerialQueue();
    const order: string[] = [];
    let finishFirst = (): void => undefined;
    const first = queue.run(async () => {
      order.push("first begins");
      await new Promise<void>((resolve) => (finishFirst = resolve));
      order.push("first ends");
    });
    const second = queue.run(() => Promise.resolve(order.push("second")));
    await Promise.resolve();
    await Promise.resolve();
    expect(order).toEqual(["first begins"]);
    finishFirst();
    await Promise.all([first, second]);
    expect(order).toEqual(["first begins", "first ends", "second"]);
  });

  it("goes on after a task that failed", async () => {
    const queue = new SerialQueue();
    await expect(queue.run(() => Promise.reject(new Error("no")))).rejects.toThrow("no");
    await expect(queue.run(() => Promise.resolve("yes"))).resolves.toBe("yes");
  });
});
