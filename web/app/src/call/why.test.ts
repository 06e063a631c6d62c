import type { Explanation, Layer } from "@headwater/client";
import { describe, expect, it } from "vitest";
import { agoText, decisionText, verdict } from "./why";

const [low, mid, high]: Layer[] = [0, 1, 2].map((spatial) => ({ spatial, temporal: 2 })) as [Layer, Layer, Layer];
const layers = [low, mid, high].map((layer) => ({ layer: layer, bitrate: 1, width: null, height: null, fps: null }));

function account(extra: Partial<Explanation> = {}): Explanation {
  const decisions: Explanation["decisions"] = [];
  return { preferred: high!, target: high!, current: high!, paused: false, codec: "VP8", layers, estimate: null, decisions, ...extra };
}

describe("decisionText", () => {
  it("names the change and the reason", () => {
    expect(decisionText({ from: high, to: low, reason: "bandwidth" }, 3)).toBe("Low instead of high, because of what your connection carries");
    expect(decisionText({ from: null, to: high, reason: "start" }, 3)).toBe("High picture, when the picture began");
    expect(decisionText({ from: low, to: null, reason: "bandwidth" }, 3)).toMatch(/^No picture, because/);
    expect(decisionText({ from: low, to: { spatial: 0, temporal: 0 }, reason: "overload" }, 3)).toMatch(/^Fewer frames, because the server/);
  });
});

describe("verdict", () => {
  const bandwidth = [{ from: high, to: low, reason: "bandwidth" as const, estimate: 1, agoMs: 0 }];

  it("says what holds the picture where it is", () => {
    expect(verdict(account())).toBe("You get the best picture there is.");
    expect(verdict(account({ preferred: low, target: low, current: low }))).toMatch(/fits the tile/);
    expect(verdict(account({ current: low, target: low, decisions: bandwidth }))).toMatch(/connection does not carry more/);
    expect(verdict(account({ current: low, decisions: bandwidth }))).toBe("Changing to high at the next complete picture.");
    expect(verdict(account({ current: null, target: null, decisions: bandwidth }))).toMatch(/too thin for any picture/);
    expect(verdict(account({ paused: true }))).toMatch(/out of sight/);
  });
});

describe("agoText", () => {
  it("is as exact as anybody wants to know", () => {
    expect([500, 20_000, 300_000, 9_000_000].map(agoText)).toEqual(["now", "20 s ago", "5 min ago", "3 h ago"]);
  });
});
