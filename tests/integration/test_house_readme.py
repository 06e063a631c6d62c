"""What the README shows is what works: its example runs, its commands exist."""

import re
import textwrap
from pathlib import Path
from typing import Any

from aiortc import RTCPeerConnection

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()


async def test_the_example_makes_a_router_with_a_publisher_and_a_subscriber() -> None:
    """The lines under "As a library" run as they stand, with an offer of a peer that is not ours."""
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    # The Worker closes at the end of the block: look at the names from inside it.
    body = textwrap.indent(f"{example.rstrip()}\n    keep(locals())\n", "    ")
    kept: dict[str, Any] = {}

    def keep(names: dict[str, Any]) -> None:
        kept.update(names)

    space: dict[str, Any] = {"keep": keep}
    exec(compile(f"async def example(offer, track_id):\n{body}", "README.md", "exec"), space)
    peer = RTCPeerConnection()
    try:
        video = peer.addTransceiver("video", direction="sendonly")
        await peer.setLocalDescription(await peer.createOffer())
        sdp = peer.localDescription.sdp
        track_id = video.sender._track_id
        await space["example"](sdp, track_id)
    finally:
        await peer.close()
    assert kept["answer"].startswith("v=0")
    assert kept["publisher"].track_id == track_id
    assert kept["subscriber"].publisher_id == kept["publisher"].id
    assert "m=video" in kept["offer"]
    assert kept["offer"] != sdp


def test_the_commands_are_targets_of_make() -> None:
    """Every `make` line in README and CONTRIBUTING names a target."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    text = README + (ROOT / "CONTRIBUTING.md").read_text()
    named = set(re.findall(r"^(?:\w+=\S+ )?make ([a-z]+)", text, re.MULTILINE))
    assert {"run", "test"} <= named <= targets


def test_the_links_lead_somewhere() -> None:
    """Every relative link in the pages at the root and in docs/ names a file or folder that exists."""
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("scripts/*.md")]
    assert len(pages) > 10
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in pages
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text())
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert broken == []
