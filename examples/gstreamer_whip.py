"""GStreamer's `webrtcbin` as a WHIP broadcaster or a WHEP viewer: for the system's Python, without Headwater.

    python3 gstreamer_whip.py send http://localhost:8443/whip/friday-show
    python3 gstreamer_whip.py watch http://localhost:8443/whep/friday-show

Debian 12 needs `gstreamer1.0-nice`, `gstreamer1.0-plugins-bad`, `-good` and `-ugly`, `python3-gi` and
`gir1.2-gst-plugins-bad-1.0`. Its GStreamer 1.22 has no `whipclientsink` yet, so the HTTP is done here. The
certificate that GStreamer makes for itself is RSA, which the server does not take (WebRTC asks for elliptic
curves, RFC 8827 section 6.5), so `webrtcbin` is handed another; and because GStreamer then reckons the
fingerprint from certificate and key together, it is put right in the offer.

It says what happens as JSON lines; with `--dump` also what a viewer gets, in base64: `{"video": grey picture,
"width", "height"}` and `{"audio": signed 16 bit, 48 kHz, mono}`. SIGTERM or Ctrl-C ends it with DELETE.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import itertools
import json
import re
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.parse
import urllib.request

import gi  # type: ignore[import-not-found]

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
gi.require_version("GstApp", "1.0")
from gi.repository import GLib, Gst, GstApp, GstSdp, GstWebRTC  # type: ignore[import-not-found]  # noqa: E402

RATE = 10
ENCODERS = {
    "h264": "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=20 bitrate=400 "
    "! video/x-h264,profile=constrained-baseline ! rtph264pay config-interval=-1 aggregate-mode=zero-latency "
    "! application/x-rtp,media=video,encoding-name=H264,payload=96,clock-rate=90000",
    "vp8": "vp8enc deadline=1 keyframe-max-dist=20 target-bitrate=400000 ! rtpvp8pay "
    "! application/x-rtp,media=video,encoding-name=VP8,payload=96,clock-rate=90000",
}
AUDIO = (
    "application/x-rtp,media=audio,encoding-name=OPUS,payload=97,clock-rate=48000,encoding-params=(string)2"
)
VIDEO = (
    "application/x-rtp,media=video,encoding-name=H264,payload=96,clock-rate=90000,"
    "packetization-mode=(string)1,profile-level-id=(string)42e01f; "
    "application/x-rtp,media=video,encoding-name=VP8,payload=98,clock-rate=90000"
)


class Peer:
    """One connection."""

    def __init__(self, url: str, token: str | None) -> None:
        self.url = url
        self.token = token
        self.certificate, self.key = elliptic()
        self.session: str | None = None
        self.loop = GLib.MainLoop()
        self.posted = False

    def run(self, pipeline: Gst.Pipeline, webrtc: Gst.Element) -> None:
        """Negotiate, play until SIGTERM, and say goodbye."""
        self.webrtc = webrtc
        pipeline.connect("deep-element-added", self._certify)
        webrtc.connect("notify::ice-gathering-state", lambda *_: GLib.idle_add(self._gathered))
        webrtc.connect("notify::connection-state", self._changed)
        bus = pipeline.get_bus()
        bus.add_signal_watch()
        bus.connect("message::error", self._failed)
        for number in (signal.SIGTERM, signal.SIGINT):
            GLib.unix_signal_add(GLib.PRIORITY_HIGH, number, self.loop.quit)
        pipeline.set_state(Gst.State.PLAYING)
        self.loop.run()
        if self.session is not None:
            self._request("DELETE", self.session, None)
        pipeline.set_state(Gst.State.NULL)

    def _certify(self, _pipeline: Gst.Pipeline, _parent: Gst.Bin, element: Gst.Element) -> None:
        if element.get_factory() and element.get_factory().get_name() == "dtlssrtpdec":
            element.set_property("pem", self.certificate + self.key)

    def offer(self, *_: object) -> None:
        """Offer what there is; what goes out waits for the candidates."""
        self.webrtc.emit("create-offer", None, Gst.Promise.new_with_change_func(self._offered, None))

    def _offered(self, promise: Gst.Promise, _: object) -> None:
        promise.wait()
        reply = promise.get_reply()
        offer = reply.get_value("offer")
        done = Gst.Promise.new()
        self.webrtc.emit("set-local-description", offer, done)
        done.interrupt()

    def _gathered(self) -> None:
        complete = GstWebRTC.WebRTCICEGatheringState.COMPLETE
        if self.posted or self.webrtc.get_property("ice-gathering-state") != complete:
            return
        self.posted = True
        offer = with_fingerprint(
            self.webrtc.get_property("local-description").sdp.as_text(), self.certificate
        )
        status, location, answer = self._request("POST", self.url, offer)
        say(answered=status)
        if status != 201:
            self.loop.quit()
            return
        self.session = urllib.parse.urljoin(self.url, location) if location else None
        _, description = GstSdp.SDPMessage.new_from_text(answer)
        answered = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, description)
        self.webrtc.emit("set-remote-description", answered, None)

    def _changed(self, webrtc: Gst.Element, _: object) -> None:
        say(state=webrtc.get_property("connection-state").value_nick)

    def _failed(self, _bus: Gst.Bus, message: Gst.Message) -> None:
        say(error=str(message.parse_error()))
        self.loop.quit()

    def _request(self, method: str, url: str, body: str | None) -> tuple[int, str | None, str]:
        data = None if body is None else body.encode()
        headers = {"Content-Type": "application/sdp"}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310 - an address of ours
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
                return answer.status, answer.headers.get("Location"), answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, None, error.read().decode()


def send(given: argparse.Namespace) -> None:
    """Go live with a test picture, or with a file of I420 frames again and again, and a tone."""
    caps = f"video/x-raw,format=I420,width={given.width},height={given.height},framerate={RATE}/1"
    camera = "videotestsrc is-live=true"
    if given.frames:
        camera = f"appsrc name=camera is-live=true do-timestamp=true format=time caps={caps}"
    pipeline = Gst.parse_launch(
        "webrtcbin name=w bundle-policy=max-bundle "
        f"{camera} ! {caps} ! {ENCODERS[given.codec]} ! w. "
        f"audiotestsrc is-live=true freq={given.tone} ! audioconvert ! opusenc ! rtpopuspay ! {AUDIO} ! w."
    )
    if given.frames:
        feed(pipeline.get_by_name("camera"), given)
    peer, webrtc = Peer(given.url, given.token), pipeline.get_by_name("w")
    webrtc.connect("on-negotiation-needed", peer.offer)
    peer.run(pipeline, webrtc)


def feed(camera: GstApp.AppSrc, given: argparse.Namespace) -> None:
    """Hand out the frames of a file, when they are due."""
    with open(given.frames, "rb") as file:
        data = file.read()
    size = given.width * given.height * 3 // 2
    frames = itertools.cycle(data[at : at + size] for at in range(0, len(data), size))

    def push() -> bool:
        camera.emit("push-buffer", Gst.Buffer.new_wrapped(next(frames)))
        return True

    GLib.timeout_add(1000 // RATE, push)


def watch(given: argparse.Namespace) -> None:
    """Take one picture and one sound."""
    pipeline = Gst.Pipeline.new()
    webrtc = Gst.ElementFactory.make("webrtcbin", "w")
    webrtc.set_property("bundle-policy", GstWebRTC.WebRTCBundlePolicy.MAX_BUNDLE)
    pipeline.add(webrtc)
    peer = Peer(given.url, given.token)
    webrtc.connect("pad-added", lambda _, pad: decode(pipeline, pad, dump=given.dump))
    webrtc.connect("on-negotiation-needed", peer.offer)
    for caps in (VIDEO, AUDIO):
        receive = GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY
        webrtc.emit("add-transceiver", receive, Gst.Caps.from_string(caps))
    peer.run(pipeline, webrtc)


def decode(pipeline: Gst.Pipeline, pad: Gst.Pad, *, dump: bool) -> None:
    """Take what comes of one track."""
    kind = pad.get_current_caps().get_structure(0).get_string("media")
    converted = {
        "video": "videoconvert ! video/x-raw,format=GRAY8",
        "audio": "audioconvert ! audioresample ! audio/x-raw,format=S16LE,rate=48000,channels=1",
    }[kind]
    sink = "appsink name=sink emit-signals=true sync=false max-buffers=64 drop=true"
    part = Gst.parse_bin_from_description(f"decodebin name=decoder ! {converted} ! {sink}", False)
    part.add_pad(Gst.GhostPad.new("sink", part.get_by_name("decoder").get_static_pad("sink")))
    part.get_by_name("sink").connect("new-sample", tell, kind, dump)
    pipeline.add(part)
    part.sync_state_with_parent()
    pad.link(part.get_static_pad("sink"))


def tell(sink: GstApp.AppSink, kind: str, dump: bool) -> Gst.FlowReturn:
    """Say what came."""
    sample = sink.emit("pull-sample")
    buffer, caps = sample.get_buffer(), sample.get_caps().get_structure(0)
    data = base64.b64encode(buffer.extract_dup(0, buffer.get_size())).decode() if dump else buffer.get_size()
    if kind == "video":
        say(video=data, width=caps.get_value("width"), height=caps.get_value("height"))
    else:
        say(audio=data)
    return Gst.FlowReturn.OK


def elliptic() -> tuple[str, str]:
    """A certificate with a key on the curve P-256, and that key, as PEM."""
    asked = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=webrtc -days 30"
    )
    with tempfile.NamedTemporaryFile() as key:
        made = subprocess.run([*asked.split(), "-keyout", key.name], check=True, capture_output=True)  # noqa: S603
        return made.stdout.decode(), key.read().decode()


def with_fingerprint(offer: str, certificate: str) -> str:
    """The offer with the fingerprint of this certificate."""
    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate)).hexdigest().upper()
    pairs = ":".join(digest[at : at + 2] for at in range(0, len(digest), 2))
    return re.sub(r"a=fingerprint:\S+ \S+", f"a=fingerprint:sha-256 {pairs}", offer)


def say(**what: object) -> None:
    """One line for whoever started this."""
    with _TURN:  # each track tells from a thread of its own
        sys.stdout.write(json.dumps(what) + "\n")
        sys.stdout.flush()


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("do", choices=("send", "watch"))
    parser.add_argument("url")
    parser.add_argument("--token")
    parser.add_argument("--codec", choices=tuple(ENCODERS), default="h264")
    parser.add_argument("--frames", help="I420, one after the other")
    parser.add_argument("--width", type=int, default=320)
    parser.add_argument("--height", type=int, default=180)
    parser.add_argument("--tone", type=float, default=440.0)
    parser.add_argument("--dump", action="store_true")
    given = parser.parse_args()
    Gst.init(None)
    (send if given.do == "send" else watch)(given)


_TURN = threading.Lock()

if __name__ == "__main__":
    main()
