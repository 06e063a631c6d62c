import { describe, expect, it } from "vitest";
import { defaultEncodings, preferCodec } from "./codecs";

const capabilities = ["video/VP8", "video/rtx", "video/VP9", "video/VP9", "video/AV1", "video/red"].map((mimeType, index) => ({
  mimeType,
  index,
}));

describe("preferCodec", () => {
  it("puts every profile of the preferred codec first and keeps the rest in order", () => {
    expect(preferCodec(capabilities, "vp9").map(({ index }) => index)).toEqual([2, 3, 0, 1, 4, 5]);
  });

  it("changes nothing when the browser lacks the codec", () => {
    expect(preferCodec(capabilities, "h264")).toEqual(capabilities);
  });
});

describe("defaultEncodings", () => {
  it("bounds every source of a call to one layer", () => {
    for (const source of ["camera", "microphone", "screen", "screen_audio"]) {
      const [encoding, ...more] = defaultEncodings(source);
      expect(encoding?.maxBitrate).toBeGreaterThan(0);
      expect(more).toEqual([]);
    }
  });
});
