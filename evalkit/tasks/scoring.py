"""`evalkit.score`: an image set by a reference and prompts, a generator's likelihood, a baseline, captions, views."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from evalkit.errors import EvalkitError
from evalkit.images.sample import ImageSet
from evalkit.jobs.options import RunOptions
from evalkit.metrics.captions import DECLARED as OF_CAPTIONS
from evalkit.metrics.likelihood import CODES, GROUP, PIXELS
from evalkit.metrics.tsed import TSED
from evalkit.runs.store import Run
from evalkit.tasks.captions import caption_scores
from evalkit.tasks.likelihood import image_likelihood, reported_bits
from evalkit.tasks.paired import paired_scores
from evalkit.tasks.score import score_images
from evalkit.tasks.views import view_consistency

LIKELIHOODS = frozenset({GROUP, *(metric.name for metric in CODES)})


def score(
    images: str | Path | ImageSet,
    reference: str | Path | ImageSet | None = None,
    *,
    metrics: Sequence[str] = (),
    protocol: str = "evalkit-1",
    prompts: str | Path | None = None,
    statistics: str | Path | None = None,
    model: str | None = None,
    paired: str | Path | ImageSet | None = None,
    log_likelihoods: str | Path | None = None,
    captions: str | Path | None = None,
    references: str | Path | None = None,
    cameras: str | Path | None = None,
    cache: bool = True,
    options: RunOptions | None = None,
) -> Run:
    """Score `images` as `score_images` does; by their likelihood (metric `nll`) under `model`; or beside a `paired` baseline.

    `log_likelihoods`: a file of what a model of pixels states of each image, for its bits per dimension. `captions` and
    `references`: files of captions of the images, by a model and by people. `cameras`: a file of the cameras of views.
    `cache`: features of images that were looked at before are not taken again. Each of these kinds is asked for apart.
    Raises `EvalkitError` before any work where a name, a file or an option is wrong.

    >>> import pathlib, tempfile
    >>> from evalkit.jobs.options import RunOptions
    >>> out = pathlib.Path(tempfile.mkdtemp()) / "run"
    >>> run = score("sample/photos", "sample/photos", metrics=["fd_efflite0"],
    ...             options=RunOptions(out=out, limit=3, keep="none"))
    >>> abs(run.results[0]["value"]) < 1e-3  # a set lies at no distance from itself
    True
    """
    if any(each is not None for each in (captions, references, cameras, log_likelihoods)):
        others = reference is not None or model is not None or paired is not None
        others = others or prompts is not None or statistics is not None
        return _by_file(images, metrics, captions, references, cameras, log_likelihoods, others, options)
    kind = kind_of(
        metrics, reference=reference, model=model, paired=paired, others=prompts is not None or statistics is not None
    )
    if kind == "paired" and paired is not None:
        return paired_scores(images, paired, metrics=metrics, options=options)
    if kind == "likelihood" and model is not None:
        return image_likelihood(images, model, prompts=prompts, options=options)
    return score_images(
        images,
        reference,
        metrics=metrics,
        protocol=protocol,
        prompts=prompts,
        statistics=statistics,
        cache=cache,
        options=options,
    )


def _by_file(
    images: str | Path | ImageSet,
    metrics: Sequence[str],
    captions: str | Path | None,
    references: str | Path | None,
    cameras: str | Path | None,
    log_likelihoods: str | Path | None,
    others: bool,
    options: RunOptions | None,
) -> Run:
    """What a file tells of the images: one kind of file in a run, and nothing beside it."""
    if (captions is None) != (references is None):
        raise EvalkitError("Captions are compared with references. Give both --captions FILE and --references FILE.")
    if others or sum(each is not None for each in (captions, cameras, log_likelihoods)) > 1:
        raise EvalkitError("Captions, cameras and log-likelihoods each come alone. Leave out the other inputs.")
    mine = OF_CAPTIONS if captions is not None else (TSED,) if cameras is not None else (PIXELS,)
    names = [metric.name for metric in mine]
    if set(metrics) - set(names):
        raise EvalkitError(f"This file gives {' and '.join(names)} alone. Leave out the other metrics.")
    if captions is not None and references is not None:
        return caption_scores(images, captions, references, options=options)
    if cameras is not None:
        return view_consistency(images, cameras, options=options)
    return reported_bits(images, str(log_likelihoods), options=options)


def kind_of(
    metrics: Sequence[str], *, reference: object, model: str | None, paired: object, others: bool = False
) -> Literal["score", "likelihood", "paired"]:
    """Which task scores: that of sets, of likelihoods, or of pairs. `others`: prompts or statistics are given.

    Raises `EvalkitError` where what was given belongs to two of them.
    """
    if paired is not None:
        if reference is not None or model is not None or others:
            raise EvalkitError(
                "A baseline comes alone. Leave out --reference, --model, --prompts and --save-statistics."
            )
        return "paired"
    wanted = LIKELIHOODS & set(metrics)
    if not wanted:
        if model is not None:
            raise EvalkitError("A model is for its likelihood of the images. Give --metrics nll, or leave out --model.")
        return "score"
    if reference is not None:
        raise EvalkitError(
            f"{min(wanted)} asks a model, and no reference. Leave out --reference, and give --model NAME."
        )
    if set(metrics) - LIKELIHOODS:
        raise EvalkitError(
            f"{min(wanted)} speaks of a model, and other metrics of the images. Give --metrics {GROUP} in a command of its own."
        )
    if model is None:
        raise EvalkitError(f"{min(wanted)} is of a generator. Give --model NAME, such as --model llamagen-b.")
    return "likelihood"
