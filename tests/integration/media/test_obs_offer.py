"""An offer as OBS 32 makes it for simulcast.

``tests/data/obs_32_simulcast.sdp`` was written after the sources of OBS (its WHIP output) and of the library
that writes its descriptions; OBS itself was not run.
"""

from __future__ import annotations

from pathlib import Path

from headwater import Router
from headwater.protocols.sdp import parse_sdp

OFFER = (Path(__file__).parents[2] / "data" / "obs_32_simulcast.sdp").read_bytes().decode()


async def test_obs_is_taken_with_all_its_layers(router: Router) -> None:
    """Sound and picture are accepted whole: a codec in capitals, three streams told apart by RID alone."""
    publishing = await router.create_publish_transport()
    answer = parse_sdp(await publishing.get_answer(OFFER))
    assert [(section.kind, section.direction) for section in answer.media] == [
        ("audio", "recvonly"),
        ("video", "recvonly"),
    ]
    assert all(section.port != 0 for section in answer.media)
    sound, picture = publishing.tracks
    assert (sound.kind, picture.rids) == ("audio", ("0", "1", "2"))
    video = answer.media[1]
    assert video.attribute("simulcast") == "recv 0;1;2"
    assert {"0 recv", "1 recv", "2 recv"} <= set(video.attributes("rid"))
    extensions = [value.partition(" ")[2] for value in video.attributes("extmap")]
    assert "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id" in extensions
    assert (await publishing.publish(sound)).codec.mime.lower() == "audio/opus"
    assert (await publishing.publish(picture)).codec.mime.lower() == "video/h264"
