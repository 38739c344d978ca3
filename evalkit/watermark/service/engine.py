"""One engine for the service and for scans: images in, answers out; one encoding a tokenizer, shared by all its marks."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evalkit.errors import EvalkitError
from evalkit.images.c2pa import STORE, Manifest, manifest_of
from evalkit.images.hashing import file_state
from evalkit.images.loader import PixelRoom
from evalkit.watermark.detection.cache import CodeCache
from evalkit.watermark.service.answers import Answer, Rate
from evalkit.watermark.service.bench import Bench, Held, Models, open_bench
from evalkit.watermark.service.codes import Coder, Decoded, Ints, Reading
from evalkit.watermark.service.pool import Pool

MOST_PIXELS = 2**25  # of an image


@dataclass(frozen=True)
class Upload:
    """An image file's bytes, what its sender calls it, and why there are no bytes where there are none."""

    data: bytes = field(repr=False)
    id: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Settings:
    """`alpha`: the share of unmarked images that may be called, over all keys of the ring. `most_pixels`: of an image.

    `cache`: the file of codes, None for the user's, ":memory:" for none. `c2pa`: manifests are read; `anchors`: PEM
    certificates to trust. `decoys`: images that are asked about together are judged by decoy keys, where an entry has no
    calibration.
    """

    alpha: float = 1e-6
    models: Models = field(default_factory=Models)
    cache: str | None = None
    threads: int = 2
    most_pixels: int = MOST_PIXELS
    c2pa: bool = True
    anchors: bytes | None = None
    decoys: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 1:
            raise EvalkitError(f"alpha lies between 0 and 1; {self.alpha} given, type --alpha 1e-6, for example")


@dataclass(frozen=True)
class Pooled:
    """A pool with the marks that are looked for in it, and the ring that they are of."""

    bench: Bench
    held: Sequence[Held]
    pool: Pool


@dataclass(frozen=True)
class Seen:
    """Images that were read into a pool: what their sender calls them and why they are unreadable, and their digests."""

    pooled: Pooled
    names: Sequence[tuple[str | None, str | None]]
    digests: Sequence[str]
    c2pa: Mapping[str, Mapping[str, Any] | None]


class Engine:
    """Answers for images by the ring at a path. A ring that changes is made ready beside (`changed`)."""

    def __init__(self, ring: str | Path, settings: Settings | None = None) -> None:
        """Raises `EvalkitError` where the ring, or anything that it names, is not right."""
        self.path, self.settings = Path(ring).expanduser(), settings or Settings()
        self._cache = CodeCache(self.settings.cache)
        self._state = file_state(self.path)
        self._c2pa = self.settings.c2pa and importlib.util.find_spec("c2pa") is not None
        try:
            self.bench = open_bench(self.path, self.settings.models, self._cache)
        except BaseException:
            self._cache.close()
            raise
        self._room = PixelRoom()
        self._pool = ThreadPoolExecutor(self.settings.threads, thread_name_prefix="evalkit-decode")

    def changed(self) -> Bench | None:
        """The marks of the ring's file where it has changed since the last call, to be set as `bench`; else None.

        Raises `EvalkitError` where the new ring is not right: the old one stays until the file changes again.
        """
        state = file_state(self.path)
        if state == self._state:
            return None
        self._state = state
        bench = open_bench(self.path, self.settings.models, self._cache, self.bench)
        return bench if bench.ring.digest != self.bench.ring.digest else None

    def look(self, uploads: Sequence[Upload], now: datetime | None = None, *, together: bool = False) -> list[Answer]:
        """An answer for each image, in order; what cannot be read costs itself only.

        `together`: the images are those of one asker, so that decoy keys may decide, where the settings want them.
        """
        return self.answers([self.see(uploads, self.pool(now, together=together))])

    def pool(self, now: datetime | None = None, *, together: bool = False) -> Pooled:
        """Room for images that are judged by the ring as it is at this time."""
        bench = self.bench
        held = bench.valid(now or datetime.now(UTC))
        return Pooled(
            bench, held, Pool(held, Rate(self.settings.alpha, len(held)), decoys=together and self.settings.decoys)
        )

    def see(self, uploads: Sequence[Upload], pooled: Pooled) -> Seen:
        """Read images into a pool."""
        digests = [hashlib.sha256(each.data).hexdigest() for each in uploads]
        images = {sha256: each.data for sha256, each in zip(digests, uploads, strict=True)}
        wanted = {each.entry.tokenizer for each in pooled.held}
        coders = {each.identity: each for each in pooled.bench.coders if each.identity in wanted}
        views = {name: [v for h in pooled.held if h.entry.tokenizer == name for v in h.views] for name in coders}
        reading = Reading(list(coders.values()), views, self.settings.most_pixels, self._room)
        codes, good, bad = self._codes(images, list(coders.values()), reading)

        def pixels(sha256: str, finer: bool) -> Decoded | None:
            known = good.get(sha256)
            if sha256 not in bad and (known is None or (finer and not known.finer)):
                again = reading.read(images[sha256], finer=finer)
                if isinstance(again, str):
                    return None
                good[sha256] = again
            return good.get(sha256)

        pooled.pool.add(codes, coders, pixels)
        names = [(each.id, each.reason or bad.get(sha256)) for each, sha256 in zip(uploads, digests, strict=True)]
        return Seen(pooled, names, digests, self._manifests(images))

    def answers(self, seen: Sequence[Seen]) -> list[Answer]:
        """The answers for images that lie in one pool."""
        pooled = seen[0].pooled if seen else self.pool()
        marks, ring = pooled.pool.marks(), pooled.bench.ring.digest
        return [
            Answer(
                *(id, sha256, pooled.pool.rate, ring, tuple(marks.get(sha256, ()))),
                c2pa=each.c2pa[sha256],
                reason=reason,
            )
            for each in seen
            for (id, reason), sha256 in zip(each.names, each.digests, strict=True)
        ]

    def close(self) -> None:
        """Let go of threads and of the cache."""
        self._pool.shutdown(wait=True)
        self._cache.close()

    def _codes(
        self, images: Mapping[str, bytes], coders: Sequence[Coder], reading: Reading
    ) -> tuple[dict[str, dict[str, Ints]], dict[str, Decoded], dict[str, str]]:
        """(codes by tokenizer and digest, images that were decoded for them, why the others could not be read)."""
        found = {each.identity: each.known(list(images)) for each in coders}
        missing = [sha256 for sha256 in images if not coders or any(sha256 not in known for known in found.values())]
        good: dict[str, Decoded] = {}
        bad: dict[str, str] = {}
        read = self._pool.map(lambda sha256: reading.read(images[sha256]), missing)
        for sha256, image in zip(missing, read, strict=True):
            if isinstance(image, str):
                bad[sha256] = image
            else:
                good[sha256] = image
        for each in coders:
            new = {sha256: image for sha256, image in good.items() if sha256 not in found[each.identity]}
            found[each.identity] |= each.encoded(new) if new else {}
        return found, good, bad

    def _manifests(self, images: Mapping[str, bytes]) -> dict[str, dict[str, Any] | None]:
        """What C2PA says of each image, by digest; threads read the few that hold a manifest."""
        if not self._c2pa:
            return dict.fromkeys(images)
        anchors = self.settings.anchors
        stored = [sha256 for sha256, data in images.items() if STORE in data]
        read = dict(
            zip(
                stored, self._pool.map(lambda sha256: manifest_of(images[sha256], anchors=anchors), stored), strict=True
            )
        )
        found = {sha256: read.get(sha256, Manifest("absent")) for sha256 in images}
        return {
            sha256: {"state": each.state, "source_types": list(each.source_types)} for sha256, each in found.items()
        }
