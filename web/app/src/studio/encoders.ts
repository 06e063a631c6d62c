/**
 * What to type into programs that send by WHIP.
 */

export type EncoderHint = { readonly name: string; readonly hint: string; readonly text: string };

export function encoders(url: string, token: string | undefined): readonly EncoderHint[] {
  const obs = token ? `${url}\n${token}` : url;
  const authorization = token ? ` -authorization ${token}` : "";
  return [
    { name: "OBS", hint: `Settings, Stream: service "WHIP", server${token ? " and bearer token" : ""}:`, text: obs },
    {
      name: "FFmpeg",
      hint: "Version 8 or newer. Puts a file on air; take `-f v4l2 -i /dev/video0` for a camera.",
      text:
        "ffmpeg -re -i film.mp4 -c:v libx264 -profile:v baseline -bf 0 -g 60 -tune zerolatency -pix_fmt yuv420p " +
        `-c:a libopus -ar 48000 -ac 2 -f whip${authorization} "${url}"`,
    },
    {
      name: "GStreamer",
      hint: "With the plugin rswebrtc.",
      text:
        `gst-launch-1.0 whipclientsink name=w signaller::whip-endpoint="${url}"${token ? ` signaller::auth-token="${token}"` : ""} ` +
        "videotestsrc is-live=true ! videoconvert ! w. audiotestsrc is-live=true ! audioconvert ! w.",
    },
  ];
}
