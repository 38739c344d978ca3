"""The colours of instances, by a zero-shot classifier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from evalkit.encoders.detectors.detection import Boxes, Detection
from evalkit.encoders.zero_shot import Choice, ZeroShot
from evalkit.images.sample import Pixels
from evalkit.tasks.probe.geneval.crops import GREY, crop
from evalkit.tasks.probe.geneval.options import RuleOptions
from evalkit.tasks.probe.geneval.prompts import COLORS, GenevalPrompt


def color_choices(name: str, colors: Sequence[str] = COLORS) -> list[Choice]:
    """The sentences that stand for each colour of a class: GenEval's three templates.

    >>> color_choices("dog")[0].sentences[1]
    'a photo of a red-colored dog'
    """
    return [
        Choice(c, (f"a photo of a {c} {name}", f"a photo of a {c}-colored {name}", f"a photo of a {c} object"))
        for c in colors
    ]


def colored(
    image: Pixels,
    boxes: Boxes,
    prompt: GenevalPrompt,
    classifier: ZeroShot,
    *,
    background: str = GREY,
    cut: bool = True,
) -> Boxes:
    """The detections of an image with the colours of those that rules may ask for.

    These are the surest instances of every class whose colour the prompt names, as many as rules keep of a class.
    """
    asked = {clause.name for clause in prompt.include if clause.color is not None}
    colors: dict[int, tuple[str, float]] = {}
    for name in sorted(asked):
        places = sorted((i for i, each in enumerate(boxes) if each.label == name), key=lambda i: (-boxes[i].score, -i))
        places = places[: RuleOptions.max_objects]
        crops = [_crop(image, boxes[place], background, cut) for place in places]
        for place, chosen in zip(places, classifier(crops, color_choices(name)), strict=True):
            colors[place] = chosen.word, chosen.probability
    return tuple(
        replace(each, color=colors[i][0], sureness=colors[i][1]) if i in colors else each
        for i, each in enumerate(boxes)
    )


def _crop(image: Pixels, each: Detection, background: str, cut: bool) -> Pixels:
    mask = None if each.mask is None else each.mask.decode()
    return crop(image, each.box, mask, background=background, cut=cut)
