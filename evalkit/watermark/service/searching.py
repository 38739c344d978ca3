"""Views of the images that a mark's own codes leave open: poses of templates, encodings, and the best view of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evalkit.watermark.detection.tally import Tally, best_of_each, tally
from evalkit.watermark.detection.viewed import FINER, possible, viewed
from evalkit.watermark.mark import marks_of
from evalkit.watermark.service.bench import Held
from evalkit.watermark.service.codes import Coder, Decoded
from evalkit.watermark.template.pose import pose_in

Ints = npt.NDArray[np.int64]
Pixels = Callable[[str, bool], Decoded | None]  # of an image by its digest, finer or not; None where it cannot be read


@dataclass(frozen=True)
class Views:
    """Codes of one image under views: `numbers` from 1 on, as the mark counts them."""

    numbers: Sequence[int]
    codes: Ints


def views_of(digest: str, held: Held, coder: Coder, pixels: Pixels) -> Views | None:
    """What a mark's views of an image show; None where there is none, as without a template."""
    image = pixels(digest, False)
    pose = None
    if image is not None and image.spectrum is not None and any(view.template for view in held.views):
        pose = pose_in(image.spectrum, [each.key for each in marks_of(held.mark)])
    tried = possible(held.views, pose)
    if any(view.resamples for view in tried):
        image = pixels(digest, True)
    if image is None:
        return None
    side, numbers = coder.tokenizer.native_size, {view: at for at, view in enumerate(held.views, start=1)}
    squares = image.squares
    seen = viewed(tried, squares[side], squares.get(side * FINER), pose, coder.tokenizer.encode, coder.batch)
    found = [(numbers[view], codes) for view, codes in seen]
    return Views([at for at, _ in found], np.stack([codes for _, codes in found])) if found else None


def improved(best: Tally, held: Held, row: int, views: Views) -> tuple[Tally, Ints]:
    """(the tally of images with what the views of the one in `row` show, what is green in each of the views)."""
    tried = tally(views.codes, held.mark, views.numbers, held.prices)
    return best.improved(np.array([row]), best_of_each(tried, np.zeros(len(tried), np.int64))), tried.green
