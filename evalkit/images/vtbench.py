"""VTBench's data set: ten parts on the hub, each with the task it is made for (arXiv 2505.13439)."""

from __future__ import annotations

from typing import Any

from evalkit.errors import EvalkitError
from evalkit.images.hub import HubSet, Open
from evalkit.images.joined import JoinedSet
from evalkit.images.sample import ImageSet

REPO = "huaweilin/VTBench"
PARTS = (
    ("task1-imagenet", "val"),
    ("task1-high-resolution", "test"),
    ("task1-varying-resolution", "test"),
    ("task2-detail-preservation", "test"),
    ("task3-movie-posters", "test"),
    ("task3-arxiv-abstracts", "test"),
    ("task3-multilingual", "Chinese"),
    ("task3-multilingual", "Hindi"),
    ("task3-multilingual", "Japanese"),
    ("task3-multilingual", "Korean"),
)
TASKS = {"task1": "reconstruction", "task2": "detail", "task3": "text"}


def vtbench(spec: str, open_stream: Open | None = None) -> ImageSet:
    """`vtbench` is all ten parts, `vtbench/CONFIG` those of a configuration, `vtbench/CONFIG/SPLIT` one.

    Each sample knows its task and its part (`subset`). Raises `EvalkitError` for an unknown part.
    """
    _, *wanted = spec.split("/")
    chosen = [part for part in PARTS if list(part[: len(wanted)]) == wanted]
    if not chosen:
        known = ", ".join(dict.fromkeys(f"vtbench/{config}" for config, _ in PARTS))
        raise EvalkitError(f"VTBench has no part {'/'.join(wanted)!r}; give vtbench, {known}")
    members = []
    for config, split in chosen:
        part = f"{config}/{split}"
        members.append((part, HubSet(f"hf:{REPO}/{part}", open_stream), {"subset": part, **meta_of(config)}))
    return JoinedSet(spec, "VTBench" if not wanted else f"VTBench/{'/'.join(wanted)}", members)


def meta_of(config: str) -> dict[str, Any]:
    """What a configuration's name says of its samples."""
    task = TASKS.get(config.partition("-")[0])
    return {"task": task} if task else {}
