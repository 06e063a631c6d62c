/**
 * Which codec is offered first. Everything else the browser can do stays in the offer: a server or
 * another browser without the preferred codec falls back instead of failing.
 */

import type { Codec } from "./publisher";

type CodecCapability = { readonly mimeType: string };

/** The preferred codec first, order otherwise unchanged (RTX and FEC stay where they are). */
export function preferCodec<Capability extends CodecCapability>(
  codecs: readonly Capability[],
  preferred: Codec,
): Capability[] {
  const wanted = `video/${preferred}`;
  const first = codecs.filter(({ mimeType }) => mimeType.toLowerCase() === wanted);
  return [...first, ...codecs.filter((codec) => !first.includes(codec))];
}

/** Applies the preference to a transceiver that sends; silently not, where a browser cannot. */
export function applyCodecPreference(transceiver: RTCRtpTransceiver, preferred: Codec): void {
  if (!("setCodecPreferences" in transceiver)) return;
  // Capabilities of the sender: those of the receiver may lack profiles that can only be encoded.
  const codecs = RTCRtpSender.getCapabilities("video")?.codecs ?? [];
  transceiver.setCodecPreferences(preferCodec(codecs, preferred));
}

/**
 * Sound with redundancy first: each packet carries the one before it again, so that a single loss is
 * not heard (RFC 2198). Browsers without it, and servers, fall back to plain Opus.
 */
export function applyRedundancy(transceiver: RTCRtpTransceiver): void {
  if (!("setCodecPreferences" in transceiver)) return;
  const codecs = RTCRtpSender.getCapabilities("audio")?.codecs ?? [];
  if (codecs.some(isRed)) transceiver.setCodecPreferences([...codecs.filter(isRed), ...codecs.filter((codec) => !isRed(codec))]);
}

/** How sound is sent; pictures are planned by `planEncodings`. */
export function soundEncodings(source: string): RTCRtpEncodingParameters[] {
  switch (source) {
    case "microphone":
      return [{ maxBitrate: 48_000, priority: "high" }];
    case "screen_audio":
      return [{ maxBitrate: 128_000 }];
    default:
      return [{}];
  }
}

function isRed({ mimeType }: CodecCapability): boolean {
  return mimeType.toLowerCase() === "audio/red";
}
