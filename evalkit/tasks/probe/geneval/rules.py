"""The rules stage: a verdict on each image of the evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from evalkit.encoders.detectors.detection import Boxes
from evalkit.errors import EvalkitError
from evalkit.tasks.probe.evidence.record import Evidence, ImageEvidence
from evalkit.tasks.probe.geneval.keep import Kept, keep
from evalkit.tasks.probe.geneval.options import RuleOptions, options_of
from evalkit.tasks.probe.geneval.prompts import GenevalPrompt
from evalkit.tasks.probe.geneval.verdict import verdict
from evalkit.tasks.probe.rows import ProbeRow


def judge_evidence(
    evidence: Evidence,
    prompts: Mapping[str, GenevalPrompt],
    options: RuleOptions,
    *,
    classes: Sequence[str],
    colors: Sequence[str],
    aliases: Mapping[str, str],
) -> list[ProbeRow]:
    """A row for each image. `aliases`: other names of `classes` that evidence may use.

    `details` hold what counted, class by class in their order, as [left, top, right, bottom, score]. Raises
    `EvalkitError` for an image of an unknown prompt, without detections, or without a colour that is asked for, and for
    a threshold below what the detector reported.
    """
    place = {name: number for number, name in enumerate(classes)}
    rows = []
    for image in evidence.images:
        prompt = prompts.get(image.prompt)
        if prompt is None:
            raise EvalkitError(
                f"{image.image} is of prompt {image.prompt}, which the suite does not have. Give its own"
            )
        used = options_of(image.options, options) if image.options else options
        _check_floor(used.above(prompt.tag), evidence.floor)
        kept = keep(_boxes(image, aliases), prompt.tag, used)
        rows.append(_row(image, prompt, kept, used, colors, place))
    return rows


def _row(
    image: ImageEvidence,
    prompt: GenevalPrompt,
    kept: Kept,
    options: RuleOptions,
    colors: Sequence[str],
    place: Mapping[str, int],
) -> ProbeRow:
    try:
        said = verdict(prompt, kept, options, colors)
    except EvalkitError as error:
        raise EvalkitError(f"{image.image}: {error}") from None
    order = sorted(kept, key=lambda name: place.get(name, len(place)))
    details = {name: [[*each.box, each.score] for each in kept[name]] for name in order}
    return ProbeRow(
        image=image.image,
        prompt=prompt.id,
        sample=image.sample,
        task=prompt.tag,
        score=float(said.correct),
        reason=said.reason,
        kinds=said.kinds,
        details=details,
    )


def _boxes(image: ImageEvidence, aliases: Mapping[str, str]) -> Boxes:
    if image.boxes is None:
        raise EvalkitError(f"{image.image} has no detections in the evidence. Run a detector on it")
    if not any(box.label in aliases for box in image.boxes):
        return image.boxes
    return tuple(replace(box, label=aliases.get(box.label, box.label)) for box in image.boxes)


def _check_floor(threshold: float, floor: float) -> None:
    if threshold < floor:
        raise EvalkitError(
            f"the detector reported nothing below a score of {floor:g}, and a threshold of {threshold:g} asks for less. "
            f"Give {floor:g} or more, or make the evidence again"
        )
