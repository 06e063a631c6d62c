import type { Decision, Explanation, Layer } from "@headwater/client";
import { describe, expect, it } from "vitest";
import { agoText, boundText, sizesOf, verdict } from "./why";

const [low, mid, high]: Layer[] = [0, 1, 2].map((spatial) => ({ spatial, temporal: 2 })) as [Layer, Layer, Layer];
const layers = [low, mid, high].map((layer) => ({ layer: layer, bitrate: 1, width: null, height: null, fps: null }));

function account(extra: Partial<Explanation> = {}): Explanation {
  const decisions: Explanation["decisions"] = [];
  return { preferred: high!, target: high!, current: high!, paused: false, codec: "VP8", layers, estimate: null, decisions, ...extra };
}

describe("verdict", () => {
  const decided = (reason: string): Decision => ({ agoMs: 0, kind: "target", facts: { reason } });
  const lossy: Decision = { agoMs: 9, kind: "estimate", facts: { estimate: 200_000, limited_by: "loss", loss: 0.052, queue_ms: 0 } };
  const bandwidth = [decided("bandwidth")];

  it("says what holds the picture where it is", () => {
    expect(verdict(account())).toBe("You get the best picture there is.");
    expect(verdict(account({ preferred: low, target: low, current: low }))).toMatch(/fits the tile/);
    expect(verdict(account({ current: low, target: low, decisions: bandwidth }))).toMatch(/connection does not carry more/);
    expect(verdict(account({ current: low, decisions: bandwidth }))).toBe("Changing to high at the next complete picture.");
    expect(verdict(account({ current: null, target: null, decisions: bandwidth }))).toMatch(/too thin for any picture/);
    expect(verdict(account({ current: low, target: low, decisions: [decided("overload")] }))).toMatch(/short of power/);
    expect(verdict(account({ current: low, target: low, decisions: [decided("publisher")] }))).toMatch(/sends nothing larger/);
    expect(verdict(account({ paused: true }))).toMatch(/out of sight/);
  });

  it("says what bounds the connection", () => {
    expect(verdict(account({ current: low, target: low, decisions: [lossy, decided("bandwidth")] }))).toBe(
      "Your connection does not carry more: 5.2 % of the packets were lost.",
    );
  });
});

describe("sizesOf", () => {
  it("counts sizes that are not sent at the moment too", () => {
    const switched: Decision = { agoMs: 0, kind: "current", facts: { from_spatial: 2, to_spatial: 0 } };
    expect(sizesOf({ layers: layers.slice(0, 1), decisions: [] })).toBe(1);
    expect(sizesOf({ layers: layers.slice(0, 1), decisions: [switched] })).toBe(3);
    expect(sizesOf({ layers, decisions: [] })).toBe(3);
  });
});

describe("boundText", () => {
  const bound = (limited_by: string, queue_ms = 0) => boundText({ facts: { limited_by, queue_ms, loss: 0.01 } });

  it("has words for everything that bounds, and none for a line that was not tried", () => {
    expect(["loss", "peer", "drain", "maximum"].map((name) => bound(name)).every(Boolean)).toBe(true);
    expect(bound("delay", 80)).toBe("packets began to queue, for 80 ms");
    expect(bound("delay", 3)).toBeNull();
  });
});

describe("agoText", () => {
  it("is as exact as anybody wants to know", () => {
    expect([500, 20_000, 300_000, 9_000_000].map(agoText)).toEqual(["now", "20 s ago", "5 min ago", "3 h ago"]);
  });
});
