"""`caption_scores`: how near captions of images are to their references."""

from __future__ import annotations

from pathlib import Path

from evalkit.errors import EvalkitError
from evalkit.images.sample import ImageSet
from evalkit.jobs.engine_inline import run_as_wished, run_folder
from evalkit.jobs.options import RunOptions
from evalkit.jobs.spec import Spec
from evalkit.metrics.captions import DECLARED
from evalkit.runs.store import Run
from evalkit.tasks.captions.read import captions_ref, read_captions
from evalkit.tasks.captions.task import CAPTIONING, SHARD, VERSION
from evalkit.tasks.score.inputs import looked_at, tell


def caption_scores(
    images: str | Path | ImageSet,
    captions: str | Path,
    references: str | Path,
    *,
    options: RunOptions | None = None,
) -> Run:
    """BLEU-4, CIDEr-D, ROUGE-L and METEOR of the captions of `images` beside their references: a sealed run, a row per image.

    `captions` (one an image, called after the model) and `references` (one or more): JSON lines of `id` and `caption`, or
    COCO's JSON with `image_id`. Raises `EvalkitError` before any work where an entry is wrong, or no image has both.
    """
    options = options or RunOptions()
    paths = [Path(each).expanduser() for each in (captions, references)]
    mine, theirs = read_captions(paths[0], single=True), read_captions(paths[1])
    looked = looked_at(images, options.limit)
    ids = [] if looked.images is None else looked.images.ids()[: looked.ref.n]
    if not any(mine.of(id) and theirs.of(id) for id in ids):
        raise EvalkitError(
            f"no image of {looked.ref.name} has a caption and a reference. Give entries that are named as the images are"
        )
    spec = Spec(
        CAPTIONING.name,
        VERSION,
        inputs={
            "data": looked.ref,
            "captions": captions_ref(paths[0], mine),
            "references": captions_ref(paths[1], theirs),
        },
        metrics=tuple(metric.name for metric in DECLARED),
        seed=options.seed,
        shard=SHARD,
        here={"threads": options.threads, "data": dict(looked.about)},
    )
    out = options.out or run_folder(spec, paths[0].stem)
    tell(looked, out, options)
    return run_as_wished(CAPTIONING, spec, out, options)
