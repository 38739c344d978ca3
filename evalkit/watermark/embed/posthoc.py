"""`embed_folder`: a folder of images marked afterwards, resumable, with what it cost each of them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from evalkit.errors import EvalkitError
from evalkit.images import open_images
from evalkit.jobs.data import data_ref, told
from evalkit.jobs.engine_inline import run_as_wished, run_folder
from evalkit.jobs.options import RunOptions, check_apart
from evalkit.jobs.spec import Spec
from evalkit.runs.store import Run
from evalkit.tokenizers.base import Tokenizer
from evalkit.tokenizers.network import NetworkTokenizer
from evalkit.watermark.embed.nudge import Nudge
from evalkit.watermark.embed.task import EMBED
from evalkit.watermark.mark import Mark
from evalkit.watermark.methods.subject import compared
from evalkit.watermark.shipped import sources_of, tokenizer_ref

VERSION = 5
SHARD = 32


def embed_folder(
    data: str | Path,
    tokenizer: Tokenizer,
    mark: Mark,
    *,
    fraction: float = 1.0,
    most_cost: float = math.inf,
    nudge: Nudge | None = None,
    frequencies: str | Path | None = None,
    options: RunOptions | None = None,
) -> Run:
    """Mark every image of `data` and seal the run: images/*.png, mark.json, rows, a page. The same call resumes.

    An image is fitted to the tokenizer's square, encoded with green codes in place of red ones (nearest in the
    quantiser's own metric, inside the residual loop of multi-scale models) and decoded. `fraction`: of an image's red
    codes this share is exchanged, the cheapest first. `most_cost`: a code is exchanged only where its distance to the
    features grows by no more. `nudge`: the image keeps its own size and pixels, and is changed by few levels until the
    encoder reads these codes, instead of being decoded from them. `frequencies`: the file that paired lists were made
    from. Raises `EvalkitError` where the method or tokenizer cannot do it, or `out` lies in `data`.
    """
    options = options or RunOptions()
    if not 0 < fraction <= 1 or not most_cost > 0:
        raise EvalkitError(
            f"fraction lies above 0 and up to 1, and most cost above 0; {fraction:g}, {most_cost:g} given"
        )
    mark.list_of(0)
    mark.green_places(0, 1)  # methods that cannot do it say so now
    if nudge is not None:
        compared(tokenizer)
    images = open_images(data)
    n = len(images) if options.limit is None else min(options.limit, len(images))
    spec = Spec(
        "watermark",
        VERSION,
        {"tokenizer": tokenizer_ref(tokenizer, options.dtype)},
        {"data": data_ref(images, n, data)},
        parameters={
            "mark": mark.as_dict(),
            "embedding": _embedding(fraction, most_cost, nudge),
            "batch_size": _batch_size(tokenizer, options),
        },
        shard=SHARD,
        here={
            **sources_of(tokenizer, mark, frequencies),
            "threads": options.threads,
            "data": told(images, options.progress),
        },
    )
    out = options.out or run_folder(spec, tokenizer.name)
    check_apart(data, out)
    return run_as_wished(EMBED, spec, out, options)


def _embedding(fraction: float, most_cost: float, nudge: Nudge | None) -> dict[str, Any]:
    cost = None if math.isinf(most_cost) else most_cost
    said = {"how": "afterwards", "fraction": fraction, "most_cost": cost}
    return said if nudge is None else {**said, "by": "pixels", **nudge.as_dict()}


def _batch_size(tokenizer: Tokenizer, options: RunOptions) -> int:
    if options.batch_size != "auto":
        return options.batch_size
    on_gpu = isinstance(tokenizer, NetworkTokenizer) and str(tokenizer.device).startswith("cuda")
    return 32 if on_gpu else min(16, max(1, 256**2 // tokenizer.native_size**2))
