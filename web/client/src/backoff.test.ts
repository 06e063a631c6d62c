import { describe, expect, it } from "vitest";
import { Backoff } from "./backoff";

const options = { firstMs: 400, capMs: 7_000, giveUpAfterMs: 60_000 };

describe("Backoff", () => {
  it("doubles its ceiling up to the cap", () => {
    const backoff = new Backoff(options, () => 1);
    expect(Array.from({ length: 7 }, () => backoff.next())).toEqual([400, 800, 1_600, 3_200, 6_400, 7_000, 7_000]);
  });

  it("spreads even the first delay, so that a thousand clients do not return at once", () => {
    const delays = new Set(Array.from({ length: 20 }, (_, index) => new Backoff(options, () => index / 20).next()));
    expect(delays.size).toBe(20);
    expect(Math.min(...([...delays] as number[]))).toBeGreaterThanOrEqual(100);
  });

  it("gives up after its time, attempts included", () => {
    const backoff = new Backoff(options, () => 1);
    backoff.next();
    backoff.spend(60_000);
    expect(backoff.next()).toBeNull();
  });

  it("starts over after a reset", () => {
    const backoff = new Backoff(options, () => 1);
    backoff.next();
    backoff.next();
    backoff.reset();
    expect(backoff.attempt).toBe(0);
    expect(backoff.next()).toBe(400);
  });
});
