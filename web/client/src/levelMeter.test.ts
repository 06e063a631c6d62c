import { describe, expect, it } from "vitest";
import { loudness } from "./levelMeter";

describe("loudness", () => {
  it("is 0 for silence and 1 for as loud as it gets", () => {
    expect(loudness(0)).toBe(0);
    expect(loudness(0.001)).toBe(0);
    expect(loudness(1)).toBe(1);
  });

  it("grows with the sound, evenly to the ear", () => {
    const levels = [0.005, 0.02, 0.08, 0.32].map(loudness);
    const steps = levels.slice(1).map((level, index) => level - (levels[index] ?? 0));
    for (const step of steps) expect(step).toBeCloseTo(steps[0]!, 5);
  });
});
