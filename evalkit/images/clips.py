"""Videos as frames in files: each sample is a clip of the first frames of one video, [T, H, W, 3]."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

import numpy as np

from evalkit.errors import EvalkitError
from evalkit.images.sample import ImageSet, Sample, Unreadable
from evalkit.text import counted

_NUMBER = re.compile(r"(\d+)\D*$")  # of a frame: the last one of its name


class ClipSet(ImageSet):
    """The first `frames` frames of each video of a set of images; videos that are shorter are left out.

    Frames are of one video where they lie in one folder; where none lies in a folder, what stands before the number of the
    frame names the video. The last number of a frame's name is its place. A clip's sha256 is over those of its frames.
    """

    def __init__(self, images: ImageSet, frames: int) -> None:
        self.images, self.frames = images, frames
        self.spec, self.name, self.revision = images.spec, images.name, images.revision
        videos = videos_of(images.ids())
        self._places = {id: places[:frames] for id, places in videos.items() if len(places) >= frames}
        self._ids = sorted(self._places)
        short = len(videos) - len(self._ids)
        self.skipped = {**images.skipped, **({f"videos of fewer than {frames} frames": short} if short else {})}
        self.unmatched = images.unmatched
        if not self._ids:
            raise EvalkitError(
                f"{images.name} holds {counted(len(videos), 'video')}, and none of {frames} frames. "
                "Give a folder with a sub-folder of frames for each video"
            )

    def ids(self) -> Sequence[str]:
        """Names of the videos, sorted."""
        return self._ids

    def fingerprint(self, index: int) -> str:
        """Over those of the frames."""
        return _digest([self.images.fingerprint(at) for at in self._places[self._ids[index]]])

    def read(self, start: int, stop: int, *, threads: int = 2) -> Iterator[Sample | Unreadable]:
        """Clips in order; a frame that cannot be read, or is of another size, costs its clip."""
        for id in self._ids[start:stop]:
            yield _clip(id, [each for run in _runs(self._places[id]) for each in self._read(run, threads)])

    def _read(self, run: range, threads: int) -> Iterator[Sample | Unreadable]:
        return self.images.read(run.start, run.stop, threads=threads)


def videos_of(ids: Sequence[str]) -> dict[str, list[int]]:
    """Positions of the frames of each video in their order.

    >>> videos_of(["a/frame2.png", "a/frame10.png", "b/1.png"])
    {'a': [0, 1], 'b': [2]}
    >>> videos_of(["run1_02.png", "run1_1.png"])
    {'run1_': [1, 0]}
    """
    folders = any(PurePosixPath(id).parent != PurePosixPath(".") for id in ids)
    found: dict[str, list[tuple[int, str, int]]] = {}
    for position, id in enumerate(ids):
        path = PurePosixPath(id)
        match = _NUMBER.search(path.stem)
        if match is None:
            raise EvalkitError(f"{id} has no number, so its place in a video is not known. Number the frames")
        video = path.parent.as_posix() if folders else path.stem[: match.start()]
        found.setdefault(video, []).append((int(match[1]), id, position))
    return {video: [position for *_, position in sorted(frames)] for video, frames in found.items()}


def _clip(id: str, frames: Sequence[Sample | Unreadable]) -> Sample | Unreadable:
    sha256 = _digest([str(each.sha256 or "-") for each in frames])
    images = [each.image for each in frames if isinstance(each, Sample)]
    for each in frames:
        if isinstance(each, Unreadable):
            return Unreadable(id, f"its frame {each.id}: {each.reason}", sha256)
    if len({image.shape for image in images}) > 1:
        return Unreadable(id, "its frames are not all of one size", sha256)
    return Sample(id, np.stack(images), sha256)


def _digest(parts: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _runs(places: Sequence[int]) -> list[range]:
    """Neighbouring places together, in their order."""
    found: list[range] = []
    for place in places:
        if found and found[-1].stop == place:
            found[-1] = range(found[-1].start, place + 1)
        else:
            found.append(range(place, place + 1))
    return found
