import { describe, expect, it, vi } from "vitest";
import { Emitter } from "./events";

class Bell extends Emitter<{ ring: number }> {
  ring(loudness: number): void {
    this.emit("ring", loudness);
  }
}

describe("Emitter", () => {
  it("tells every listener until it is taken off", () => {
    const bell = new Bell();
    const heard: number[] = [];
    const off = bell.on("ring", (loudness) => heard.push(loudness));
    bell.ring(1);
    off();
    bell.ring(2);
    expect(heard).toEqual([1]);
  });

  it("tells once-listeners once", () => {
    const bell = new Bell();
    const heard: number[] = [];
    bell.once("ring", (loudness) => heard.push(loudness));
    bell.ring(1);
    bell.ring(2);
    expect(heard).toEqual([1]);
  });

  it("does not let a listener that throws silence the others", () => {
    const reported = vi.fn();
    vi.stubGlobal("reportError", reported);
    const bell = new Bell();
    const heard: number[] = [];
    bell.on("ring", () => {
      throw new Error("deaf");
    });
    bell.on("ring", (loudness) => heard.push(loudness));
    bell.ring(3);
    expect(heard).toEqual([3]);
    expect(reported).toHaveBeenCalledOnce();
    vi.unstubAllGlobals();
  });
});
