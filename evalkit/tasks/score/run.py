"""`score_images`: how near an image set is to a reference, how varied it is, and how well it fits its prompts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from evalkit.device import pick_device
from evalkit.errors import EvalkitError
from evalkit.images.sample import ImageSet
from evalkit.jobs.engine_inline import run_as_wished, run_folder
from evalkit.jobs.options import RunOptions
from evalkit.jobs.spec import DataRef
from evalkit.metrics.sets.names import chosen_metrics, needs_reference, prompted
from evalkit.protocols.score import load_score_protocol
from evalkit.runs.store import Run
from evalkit.tasks.score.inputs import Asked, Looked, asked_of, looked_at, looked_at_reference, tell
from evalkit.tasks.score.spec import score_spec
from evalkit.tasks.score.statistics import write_statistics
from evalkit.tasks.score.task import SCORE


def score_images(
    images: str | Path | ImageSet,
    reference: str | Path | ImageSet | None = None,
    *,
    metrics: Sequence[str] = (),
    protocol: str = "evalkit-1",
    prompts: str | Path | None = None,
    statistics: str | Path | None = None,
    cache: bool = True,
    options: RunOptions | None = None,
) -> Run:
    """Score `images` against `reference` under a protocol of image sets; a sealed run with one row per image.

    `images`: what `open_images` takes, or the folder of a run that made images. `reference`: the same, or an npz of
    statistics. `metrics`: fid, sfid, is, kid, prdc (precision, recall, density, coverage), … [the usual ones of the
    protocol]; those whose weights are not here are `unavailable` with the reason. `prompts`: what each image should
    show [what its run asked for]. `statistics`: a file that the images' own statistics are written to. `cache`: features
    of images that an earlier run looked at are taken from the user's cache, by content, network, weights and protocol.
    Interrupted runs are resumed. Raises `EvalkitError` before any work where a name, a file or an option is wrong.

    >>> import pathlib, tempfile
    >>> from evalkit.jobs.options import RunOptions
    >>> out = pathlib.Path(tempfile.mkdtemp()) / "run"
    >>> run = score_images("sample/photos", "sample/photos", metrics=["fd_efflite0"],
    ...                    options=RunOptions(out=out, limit=3, keep="none"))
    >>> abs(run.results[0]["value"]) < 1e-3  # a set lies at no distance from itself
    True
    """
    options = options or RunOptions()
    pick_device(options.device)
    rules = load_score_protocol(protocol)
    names = chosen_metrics(metrics, rules, reference=reference is not None)
    if not names and statistics is None:
        raise EvalkitError(f"the protocol {rules.id} compares two sets, and there is no reference. Give --reference.")
    frames = None if rules.clips is None else rules.clips.frames
    mine = looked_at(images, options.limit, frames)
    other = None
    if reference is not None and needs_reference(names):
        other = looked_at_reference(reference, options.limit, frames)
    asked = _asked(names, mine, prompts)
    inputs: dict[str, DataRef] = {"data": mine.ref}
    inputs |= {} if other is None else {"reference": other.ref}
    inputs |= {} if asked.ref is None else {"prompts": asked.ref}
    spec = score_spec(
        names,
        rules,
        inputs,
        options,
        label=mine.label,
        statistics=statistics is not None,
        here={"data": dict(mine.about), "reference": {} if other is None else dict(other.about)},
        cache=cache,
        file=None if other is None else other.file,
    )
    out = options.out or run_folder(spec, mine.label)
    for each in (mine, other):
        tell(each, out, options)
    del mine, other, asked, each  # the names and digests of both sets, which the worker has of its own
    run = run_as_wished(SCORE, spec, out, options)
    if statistics is not None:
        write_statistics(run, Path(statistics))
    return run


def _asked(names: Sequence[str], mine: Looked, prompts: str | Path | None) -> Asked:
    """What the images were asked to show, by the user's file or by their run; raises where a metric needs it and lacks it."""
    source = str(prompts) if prompts is not None else None if mine.run is None else str(mine.run.path)
    ids = [] if mine.images is None else list(mine.images.ids()[: mine.ref.n])
    asked = asked_of(ids, source)
    if not prompted(names):
        return asked
    without = [id for id in ids if id not in asked.prompts]
    if source is None:
        raise EvalkitError(f"{prompted(names)[0]} compares images with prompts. Give --prompts FILE.")
    if without:
        raise EvalkitError(f"the image {without[0]} has no prompt in {source}. Give one prompt an image.")
    return asked
