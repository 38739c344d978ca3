"""Whether every image of a suite is there: what is missing would shrink the denominator and change the score."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from evalkit.errors import EvalkitError


@dataclass(frozen=True)
class Coverage:
    """How many images a suite expects and how many there are; `missing`: (prompt id, sample) of the others."""

    expected: int
    present: int
    missing: tuple[tuple[str, int], ...]

    @property
    def share(self) -> float:
        """The part of the expected images that is there."""
        return self.present / self.expected

    def require(self, *, allow_missing: bool = False) -> None:
        """Raise `EvalkitError` where images are missing and that was not allowed."""
        if self.missing and not allow_missing:
            prompt, sample = self.missing[0]
            raise EvalkitError(
                f"{len(self.missing)} of {self.expected} images are missing, the first of prompt {prompt} (sample {sample}). "
                "Make them, or give --allow-missing"
            )


def coverage(prompts: Sequence[str], samples: int, images: Iterable[tuple[str, str, int]]) -> Coverage:
    """The coverage of `images` (id, prompt id, sample) over `samples` images of each of the `prompts`.

    Raises `EvalkitError` for an image of an unknown prompt, one beyond the samples, and two images in one place.
    """
    known = set(prompts)
    there: dict[tuple[str, int], str] = {}
    for image, prompt, sample in images:
        if prompt not in known:
            raise EvalkitError(
                f"{image} is of prompt {prompt}, which the suite does not have. Give images of this suite"
            )
        if sample >= samples:
            raise EvalkitError(
                f"{image} is sample {sample} of its prompt, and the suite has {samples}. Give --samples N"
            )
        if (prompt, sample) in there:
            raise EvalkitError(
                f"{image} and {there[prompt, sample]} are both sample {sample} of prompt {prompt}. Keep one"
            )
        there[prompt, sample] = image
    missing = tuple((p, s) for p in prompts for s in range(samples) if (p, s) not in there)
    return Coverage(len(prompts) * samples, len(there), missing)
