import { describe, expect, it } from "vitest";
import { qualityOf, transportQuality } from "./quality";
import type { TrackStats } from "./stats";

const track = (lossRatio: number): TrackStats => ({ lossRatio }) as TrackStats;

describe("quality", () => {
  it.each([
    [0, 20, "good"],
    [0, null, "good"],
    [0.05, 20, "fair"],
    [0, 400, "fair"],
    [0.2, 20, "poor"],
    [0, 900, "poor"],
  ] as const)("loss %d and %d ms feel %s", (loss, roundTrip, expected) => {
    expect(qualityOf(loss, roundTrip)).toBe(expected);
  });

  it("is that of the worst track, and lost when nothing flows", () => {
    expect(transportQuality({ tracks: [track(0), track(0.2)], roundTripMs: 10 }, true)).toBe("poor");
    expect(transportQuality({ tracks: [], roundTripMs: 10 }, true)).toBe("good");
    expect(transportQuality({ tracks: [track(0)], roundTripMs: 10 }, false)).toBe("lost");
  });
});
