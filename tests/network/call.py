"""A call over the lab's link, and what its watcher saw and heard of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from tests.e2e.client_page import join
from tests.support.browser import Browser, Page
from tests.support.lab import Lab
from tests.support.server import Server

__all__ = ["Call", "Stretch"]


@dataclass(frozen=True, slots=True)
class Stretch:
    """What the watcher had of a stretch of the call, from its browser's statistics (webrtc-stats).

    Attributes:
        seconds: Its length, by the browser's clock.
        heard: Share of the sound that was not made up.
        frozen: Share of the time in which the picture was frozen.
        frames: Pictures decoded.
        encoded: Pictures that the sender's encoder made meanwhile, of the encoding with the most.
        lost: Packets of sound and picture that never came, retransmissions included.
        width: The newest picture's, in pixels.
        bitrate: Of sound and picture, bit/s.
        repaired: Packets that came as retransmissions.
    """

    seconds: float
    heard: float
    frozen: float
    frames: int
    encoded: int
    lost: int
    width: int
    bitrate: float
    repaired: int


@dataclass
class Call:
    """Ada sends from beside the server, bob watches from behind the link."""

    lab: Lab
    ada: Page
    bob: Page

    @classmethod
    async def start(cls, lab: Lab, server: Server, near: Browser, far: Browser) -> Call:
        """Both join; returns once bob sees and hears ada."""
        meeting = await server.new_meeting()
        ada = await join(near, server, meeting, name="ada")
        await ada.run(_PUBLISH)
        bob = await join(far, server, meeting, name="bob")
        call = cls(lab, ada, bob)
        await call.until("video", "row.framesDecoded > 30", what="pictures at bob's")
        # What no loudspeaker plays, Chromium does not decode.
        await bob.run(
            "() => { window.speaker = new Audio(); speaker.srcObject = new MediaStream([call.audio('ada')]);"
            " return speaker.play(); }"
        )
        await call.until("audio", "row.totalSamplesReceived > 48000", what="sound at bob's")
        return call

    async def until(self, kind: str, condition: str, *, what: str, timeout: float = 20.0) -> dict[str, Any]:
        """Wait until bob's inbound-rtp `row` fulfils a condition in JavaScript; that row."""
        row: dict[str, Any] = await self.bob.until(
            "async (kind) => { const row = await call.inbound('ada', kind);"
            " if (!row) throw new Error('no such track');"
            f" if (!({condition})) throw new Error(JSON.stringify(row)); return row; }}",
            kind,
            what=what,
            timeout=timeout,
        )
        return row

    async def share(self, content: str) -> None:
        """Ada shares the picture as a screen (text is "detail", a film "motion"); bob watches that alone."""
        await self.bob.run("() => call.subscriber('ada', 'video', 'camera').pause()")
        await self.ada.run(
            "async (content) => { await room.publish(picture(), { source: 'screen', content }); }", content
        )

    async def until_shared(self, condition: str, *, what: str, timeout: float = 30.0) -> None:
        """Wait until what bob has of the screen fulfils a condition on `row` (inbound-rtp) and `layer`."""
        await self.bob.until(
            "async () => { const screen = call.subscriber('ada', 'video', 'screen');"
            " const row = screen && (await kit.inbound(screen.track)); const layer = screen?.current;"
            f" if (!row || !layer || !({condition}))"
            " throw new Error(JSON.stringify([layer, row?.frameWidth, row?.framesDecoded])); return true; }",
            what=what,
            timeout=timeout,
        )

    async def rows(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Bob's inbound-rtp rows now: sound and picture."""
        audio, video = await self.bob.run(
            "async () => [await call.inbound('ada', 'audio'), await call.inbound('ada', 'video')]"
        )
        return audio, video

    async def talk(self, seconds: float) -> Stretch:
        """Let the call go on for a while, by the clock; what bob had of it."""
        sent, before = await self._encoded(), await self.rows()
        await asyncio.sleep(seconds)  # real sound and real pictures take real time
        after = await self.rows()
        made = [count - sent.get(rid, 0) for rid, count in (await self._encoded()).items()]
        return _between(before, after, max(made))

    async def _encoded(self) -> dict[str, int]:
        """Pictures that ada's browser has encoded so far, by encoding."""
        rows: list[dict[str, Any]] = await self.ada.run("() => kit.rows('outbound-rtp', { kind: 'video' })")
        return {row.get("rid", ""): int(row.get("framesEncoded", 0)) for row in rows}


def _between(before: tuple[dict[str, Any], ...], after: tuple[dict[str, Any], ...], encoded: int) -> Stretch:
    def grown(kind: int, name: str) -> float:
        return float(after[kind].get(name, 0) - before[kind].get(name, 0))

    seconds = grown(_VIDEO, "timestamp") / 1000
    samples = grown(_AUDIO, "totalSamplesReceived")
    made_up = grown(_AUDIO, "concealedSamples") - grown(_AUDIO, "silentConcealedSamples")
    return Stretch(
        seconds=seconds,
        heard=1 - made_up / samples if samples else 0.0,
        frozen=grown(_VIDEO, "totalFreezesDuration") / seconds,
        frames=int(grown(_VIDEO, "framesDecoded")),
        encoded=encoded,
        lost=int(grown(_AUDIO, "packetsLost") + grown(_VIDEO, "packetsLost")),
        width=int(after[_VIDEO].get("frameWidth", 0)),
        bitrate=8 * (grown(_AUDIO, "bytesReceived") + grown(_VIDEO, "bytesReceived")) / seconds,
        repaired=int(grown(_VIDEO, "retransmittedPacketsReceived")),
    )


_AUDIO, _VIDEO = 0, 1
_PUBLISH = """async () => {
    // A picture that fills a line: what stands still or is of one colour costs an encoder nothing.
    const canvas = Object.assign(document.createElement("canvas"), { width: 1280, height: 720 });
    const context = canvas.getContext("2d");
    const draw = () => {
        for (let n = 0; n < 150; n++) {
            context.fillStyle = `hsl(${190 + Math.random() * 60} 60% ${25 + Math.random() * 45}%)`;
            context.fillRect(Math.random() * 1280, Math.random() * 720, 60, 60);
        }
        // Letters of all sizes: whoever looks sees how sharp it is.
        context.fillStyle = "#fff";
        context.fillRect(320, 150, 640, 420);
        context.fillStyle = "#123";
        for (const [size, y] of [[96, 260], [64, 340], [44, 400], [30, 450], [20, 490], [14, 520]]) {
            context.font = `${size}px sans-serif`;
            context.fillText("Headwater 0123456789 how sharp?".slice(0, 1100 / size), 350, y);
        }
    };
    window.drawing = setInterval(draw, 40);
    const audio = new AudioContext();
    const tone = new OscillatorNode(audio, { frequency: 440 });
    const sound = new MediaStreamAudioDestinationNode(audio);
    tone.connect(sound);
    tone.start();
    window.picture = () => canvas.captureStream(25).getVideoTracks()[0];
    await room.publish(picture(), { source: "camera" });
    await room.publish(sound.stream.getAudioTracks()[0], { source: "microphone" });
}"""
