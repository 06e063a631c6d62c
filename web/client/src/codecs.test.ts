import { describe, expect, it, vi } from "vitest";
import { applyRedundancy, preferCodec } from "./codecs";

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

describe("applyRedundancy", () => {
  it("puts RED before Opus where the browser has it, and touches nothing where not", () => {
    for (const [mimeTypes, expected] of [
      [["audio/opus", "audio/red", "audio/PCMU"], ["audio/red", "audio/opus", "audio/PCMU"]],
      [["audio/opus", "audio/PCMU"], undefined],
    ] as const) {
      vi.stubGlobal("RTCRtpSender", { getCapabilities: () => ({ codecs: mimeTypes.map((mimeType) => ({ mimeType })) }) });
      let preferred: readonly string[] | undefined;
      const setCodecPreferences = (codecs: readonly { readonly mimeType: string }[]): void => {
        preferred = codecs.map(({ mimeType }) => mimeType);
      };
      applyRedundancy({ setCodecPreferences } as unknown as RTCRtpTransceiver);
      expect(preferred).toEqual(expected);
      vi.unstubAllGlobals();
    }
  });
});
