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
      hint: "With examples/gstreamer_whip.py of the source code: the certificate that whipclientsink makes is RSA, which the server does not take.",
      text: `python3 gstreamer_whip.py send${token ? ` --token ${token}` : ""} "${url}"`,
    },
  ];
}
