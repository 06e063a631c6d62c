import { describe, expect, it } from "vitest";
import { qualityOf, scoreQuality, transportQuality, worseQuality } from "./quality";
import type { TrackStats } from "./stats";

const track = (lossRatio: number): TrackStats => ({ lossRatio }) as TrackStats;

describe("quality", () => {
  it.each([
    [0, 20, "excellent"],
    [0, null, "excellent"],
    [0.05, 20, "good"],
    [0, 400, "good"],
    [0.2, 20, "poor"],
    [0, 900, "poor"],
  ] as const)("loss %d and %d ms feel %s", (loss, roundTrip, expected) => {
    expect(qualityOf(loss, roundTrip)).toBe(expected);
  });

  it("is that of the worst track, and lost when nothing flows", () => {
    expect(transportQuality({ tracks: [track(0), track(0.2)], roundTripMs: 10 }, true)).toBe("poor");
    expect(transportQuality({ tracks: [], roundTripMs: 10 }, true)).toBe("excellent");
    expect(transportQuality({ tracks: [track(0)], roundTripMs: 10 }, false)).toBe("lost");
  });

  it.each([
    [100, "excellent"],
    [70, "excellent"],
    [69, "good"],
    [40, "good"],
    [39, "poor"],
    [1, "poor"],
    [0, "lost"],
  ] as const)("a score of %d is %s, as the server's own word for it", (score, expected) => {
    expect(scoreQuality(score)).toBe(expected);
  });

  it("is the worse of what the browser and the server see", () => {
    expect(worseQuality("excellent", "poor")).toBe("poor");
    expect(worseQuality("lost", "good")).toBe("lost");
  });
});
