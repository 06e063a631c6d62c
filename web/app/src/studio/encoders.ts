/**
 * What to type into programs that send by WHIP.
 */

/** What is copied is one line for each field that it goes into. */
export type EncoderHint = { readonly name: string; readonly hint: string; readonly lines: readonly string[] };

export function encoders(url: string, token: string | undefined): readonly EncoderHint[] {
  const secure = url.startsWith("https:");
  const authorization = token ? ` -authorization ${token}` : "";
  return [
    { name: "OBS", hint: `Settings, Stream: service "WHIP", server${token ? " and bearer token" : ""}:`, lines: token ? [url, token] : [url] },
    {
      name: "FFmpeg",
      hint: `Version 8 or newer. Puts a file on air; take -f v4l2 -i /dev/video0 for a camera.${secure ? selfSigned : ""}`,
      lines: [
        "ffmpeg -re -i film.mp4 -c:v libx264 -profile:v baseline -bf 0 -g 60 -tune zerolatency -pix_fmt yuv420p " +
        `-c:a libopus -ar 48000 -ac 2 -f whip${authorization} "${url}"`,
      ],
    },
    {
      name: "GStreamer",
      hint: "With examples/gstreamer_whip.py of the source code: the certificate that whipclientsink makes is RSA, which the server does not take.",
      lines: [`python3 gstreamer_whip.py send${token ? ` --token ${token}` : ""} "${url}"`],
    },
  ];
}

/** FFmpeg 9 checks certificates, and its WHIP has no option for that. */
const selfSigned = " A server with a certificate of its own: put SSL_CERT_FILE=tls-cert.pem before it, with that file from the server's data directory.";
