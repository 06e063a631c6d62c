import { describe, expect, it } from "vitest";
import { planEncodings, type PlanInput, restrict } from "./encodings";

const camera: PlanInput = { source: "camera", content: "camera", codec: undefined, size: { width: 1280, height: 720 } };

function lines(input: PlanInput): (number | null)[] {
  const side = Math.min(input.size?.width ?? 0, input.size?.height ?? 0);
  return planEncodings(input).map(({ active, scaleResolutionDownBy = 1 }) => (active === false ? null : side / scaleResolutionDownBy));
}

describe("planEncodings", () => {
  it("sends as many sizes as what is captured fills, always under the same three names", () => {
    const sizes = [
      [1920, 1080, [360, 720, 1080]],
      [1280, 720, [180, 360, 720]],
      [720, 1280, [180, 360, 720]],
      [640, 360, [180, 360, null]],
      [320, 240, [240, null, null]],
    ] as const;
    for (const [width, height, expected] of sizes) {
      const input = { ...camera, size: { width, height } };
      expect(lines(input)).toEqual(expected);
      expect(planEncodings(input).map(({ rid }) => rid)).toEqual(["low", "mid", "high"]);
    }
  });

  it("gives a larger picture more bits, and never none", () => {
    const [low, mid, high] = planEncodings(camera).map(({ maxBitrate = 0 }) => maxBitrate);
    expect([low, mid, high]).toEqual([160_000, 500_000, 1_700_000]);
  });

  it("puts the layers of VP9 and AV1 into one stream", () => {
    for (const codec of ["vp9", "av1"] as const) {
      expect(planEncodings({ ...camera, codec }).map(({ scalabilityMode }) => scalabilityMode)).toEqual(["L3T3_KEY"]);
      const small = { ...camera, codec, size: { width: 320, height: 180 } };
      expect(planEncodings(small).map(({ scalabilityMode }) => scalabilityMode)).toEqual(["L1T3"]);
    }
  });

  it("keeps text whole and sheds its frames; moving pictures are sent as a camera's", () => {
    expect(planEncodings({ ...camera, source: "screen", content: "detail" })).toMatchObject([{ maxFramerate: 15, scalabilityMode: "L1T3" }]);
    expect(planEncodings({ ...camera, source: "screen", content: "motion" })).toHaveLength(3);
  });
});

describe("restrict", () => {
  const plan = planEncodings(camera);
  const active = (wanted: Parameters<typeof restrict>[1]): (boolean | undefined)[] => restrict(plan, wanted).map((each) => each.active);

  it("stops what nobody watches and begins again when somebody does", () => {
    const only = (...rids: string[]) => ["low", "mid", "high"].map((rid) => ({ rid, active: rids.includes(rid) }));
    expect(active({ encodings: only("low"), max: { spatial: 0, temporal: 2 } })).toEqual([true, false, false]);
    expect(active({ encodings: only(), max: null })).toEqual([false, false, false]);
    expect(active({ encodings: only("low", "mid", "high"), max: null })).toEqual([true, true, true]);
    expect(active(null)).toEqual([true, true, true]);
  });

  it("never starts a size that the camera does not fill", () => {
    const small = planEncodings({ ...camera, size: { width: 640, height: 360 } });
    const wanted = { encodings: ["low", "mid", "high"].map((rid) => ({ rid, active: true })), max: null };
    expect(restrict(small, wanted).map((each) => each.active)).toEqual([true, true, false]);
  });

  it("leaves upper layers of one stream away, at the size that is left", () => {
    const svc = planEncodings({ ...camera, codec: "vp9" });
    const [one] = restrict(svc, { encodings: [{ rid: "", active: true }], max: { spatial: 0, temporal: 2 } });
    expect(one).toMatchObject({ active: true, scalabilityMode: "L1T3", scaleResolutionDownBy: 4 });
    const [two] = restrict(svc, { encodings: [{ rid: "", active: true }], max: { spatial: 1, temporal: 2 } });
    expect(two).toMatchObject({ scalabilityMode: "L2T3_KEY", scaleResolutionDownBy: 2 });
    const [none] = restrict(svc, { encodings: [{ rid: "", active: false }], max: null });
    expect(none).toMatchObject({ active: false, scalabilityMode: "L3T3_KEY" });
  });
});
