"""Playlists and parts of one packager as players ask for them: at once, or when what they wait for is there.

With low latency a request may name the part that the playlist must have (`Delivery`), and the file of a part
may be asked for before it is written. Both wait here, for at most three target durations, and no longer than
the broadcast.
"""

from __future__ import annotations

from pathlib import Path

from headwater.errors import InvalidQuery, NotFound, ResourceError
from headwater.pipelines.hls import HlsPackager
from headwater.pipelines.hls_parts import PartShelf
from headwater.protocols.hls import Delivery, MasterPlaylist, MediaPlaylist, PartPlaylist, Variant

__all__ = ["HlsDelivery"]


class HlsDelivery:
    """What a packager's players are answered.

    Args:
        packager: Whose.
    """

    def __init__(self, packager: HlsPackager) -> None:
        self._packager = packager
        self._shelf = packager.shelf
        self._texts: dict[tuple[str, str, bool], str] = {}
        self._texts_of = -1
        self._plain: dict[tuple[str, str], tuple[object, str]] = {}

    async def playlist(self, name: str, query: str, delivery: Delivery) -> str:
        """The text of a playlist.

        ``index.m3u8`` is that of pictures in one size, or names those of all sizes, or that of sound alone.

        Args:
            name: File name.
            query: Appended to every URI in it, with its question mark.
            delivery: What it must have, and may leave out.

        Raises:
            NotFound: There is none of that name.
            InvalidQuery: What is asked for lies too far ahead.
            ResourceError: What is waited for did not come in time, or too many wait.
        """
        rendition = self._rendition(name)
        if rendition is None:
            return self._master().render(query)
        playlist = self._shelf.playlists[rendition]
        if not isinstance(playlist, PartPlaylist) or not isinstance(self._shelf, PartShelf):
            return self._whole(rendition, playlist, query)
        await self._until_there(self._shelf, rendition, playlist, delivery)
        return self._text(self._shelf, rendition, query, skip=delivery.skip)

    async def file(self, name: str) -> Path:
        """Where a segment, part or initialisation section is.

        Raises:
            NotFound: It is not kept any more, or never was, or its part will not come.
            ResourceError: It did not come in time, or too many wait.
        """
        shelf = self._shelf
        if isinstance(shelf, PartShelf):
            came = await shelf.wait_until(lambda: not shelf.is_hinted(name), _PATIENCE * shelf.target)
            if not came:
                raise ResourceError("this part did not come in time")
        path = shelf.file(name)
        if path is None or not path.is_file():
            raise NotFound("this segment is not kept any more, or never was")
        return path

    def _rendition(self, name: str) -> str | None:
        """The rendition whose playlist is asked for; none for that of all."""
        renditions = self._shelf.renditions
        if name == "index.m3u8" and renditions:
            # Of sound alone as well: pictures that come later have another name.
            return "video" if renditions.keys() == {"video"} else None
        if (wanted := name.removesuffix(".m3u8")) in self._shelf.playlists:
            return wanted
        raise NotFound("there is no such playlist")

    async def _until_there(
        self, shelf: PartShelf, rendition: str, playlist: PartPlaylist, delivery: Delivery
    ) -> None:
        msn, part = delivery.msn, delivery.part
        if msn is None or playlist.ended:
            return
        if playlist.is_beyond(msn, part):
            raise InvalidQuery("that segment or part is too far ahead to be waited for")

        def answered() -> bool:
            replaced = shelf.playlists.get(rendition) is not playlist
            return playlist.ended or replaced or playlist.has(msn, part)

        if not await shelf.wait_until(answered, _PATIENCE * playlist.target):
            raise ResourceError("nothing new came in time")
        if shelf.playlists.get(rendition) is not playlist:
            raise NotFound("there is no such playlist any more")

    def _whole(self, rendition: str, playlist: MediaPlaylist, query: str) -> str:
        """Of segments alone: written once for all that ask before the next one."""
        state = (playlist, playlist.sequence, len(playlist.segments), playlist.ended, playlist.target)
        known, text = self._plain.get((rendition, query), (None, ""))
        if known != state:
            if len(self._plain) > _TEXTS:
                self._plain.clear()
            text = playlist.render(query)
            self._plain[rendition, query] = state, text
        return text

    def _text(self, shelf: PartShelf, rendition: str, query: str, *, skip: bool) -> str:
        """Hundreds ask for the same in the same moment: it is written once."""
        if self._texts_of != shelf.version or len(self._texts) > _TEXTS:
            self._texts, self._texts_of = {}, shelf.version
        text = self._texts.get((rendition, query, skip))
        if text is None:
            playlist = shelf.playlists[rendition]
            assert isinstance(playlist, PartPlaylist), "a shelf of parts has no others"
            text = playlist.render(query, skip=skip, reports=shelf.reports(rendition))
            self._texts[rendition, query, skip] = text
        return text

    def _master(self) -> MasterPlaylist:
        variants = [self._variant(name) for name in self._shelf.renditions]
        return MasterPlaylist(sorted(variants, key=lambda variant: (-variant.height, -variant.bandwidth)))

    def _variant(self, name: str) -> Variant:
        shape = self._packager.shapes[name]
        peak = max(self._shelf.peak(name), shape.bitrate)
        return Variant(f"{name}.m3u8", peak, shape.codecs, shape.width, shape.height)


_PATIENCE = 3
"""Target durations that a request may wait (draft-pantos-hls-rfc8216bis section 6.2.5.2)."""
_TEXTS = 256
"""Written playlists in memory; signed links make each viewer's its own."""
