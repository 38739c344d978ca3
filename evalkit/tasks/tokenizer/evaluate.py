"""`evaluate_tokenizer`: how much does a visual tokenizer destroy?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from evalkit.device import check_device
from evalkit.encoders.evidence import EvidenceCache
from evalkit.encoders.registry import encoder_entry
from evalkit.errors import EvalkitError
from evalkit.images import open_images
from evalkit.images.sample import ImageSet
from evalkit.jobs.engine_inline import run_as_wished, run_folder
from evalkit.jobs.options import RunOptions, check_apart, weights_by_name
from evalkit.jobs.spec import Spec
from evalkit.protocols import load_protocol
from evalkit.runs.store import Run
from evalkit.tasks.tokenizer.evaluators import Evaluators
from evalkit.tasks.tokenizer.pixels import feed_of
from evalkit.tasks.tokenizer.spec import tokenizer_spec
from evalkit.tasks.tokenizer.task import TOKENIZER
from evalkit.tokenizers.base import Tokenizer
from evalkit.tokenizers.registry import describe_tokenizer, tokenizer_alias, tokenizer_name

DEFAULT_TASKS = ("reconstruction", "detail", "text", "distribution", "codes")
TASKS = (
    *DEFAULT_TASKS,
    "tokbench-text",
    "tokbench-face",
    "survival",
    "shift",
    "fid-infinity",
)  # survival and shift run the model again


def evaluate_tokenizer(
    models: str | Sequence[str],
    data: str | Path | ImageSet = "sample",
    *,
    protocols: Sequence[str] = ("evalkit-1",),
    tasks: Sequence[str] = DEFAULT_TASKS,
    size: int | None = None,
    native_resolution: bool = False,
    features: Sequence[str] = (),
    ocr: str = "rapidocr",
    options: RunOptions | None = None,
) -> list[Run]:
    """Evaluate each tokenizer of `models` on `data` under every protocol, in one pass a model; one sealed run each.

    `data`: what `open_images` takes. `tasks`: some of reconstruction, detail, text, distribution, codes, tokbench-text,
    tokbench-face, survival, shift, fid-infinity.
    `size`: side of the square input where the model allows others than its own. `native_resolution`: each image at
    its own size instead, padded or in tiles (`native`). `features`: feature extractors of further distribution
    distances, such as dinov2-vitl14 and clip-vitl14. `ocr`: who reads text: rapidocr, http:URL#MODEL or
    transformers:REPO. Runs that are complete are read back, interrupted ones are resumed. Raises `EvalkitError` before
    any work where a name, a file or an option is wrong.

    >>> import tempfile, pathlib
    >>> out = pathlib.Path(tempfile.mkdtemp()) / "run"
    >>> from evalkit.jobs.options import RunOptions
    >>> (run,) = evaluate_tokenizer("jpeg-q75", "sample/photos", tasks=["reconstruction"],
    ...                             options=RunOptions(out=out, limit=2, keep="none"))
    >>> [row["metric"] for row in run.results if row["status"] == "ok"][:2]
    ['psnr', 'ssim']
    """
    options = options or RunOptions()
    if isinstance(models, Tokenizer):
        raise EvalkitError(
            f"models are given by their names, and this is a {type(models).__name__} itself. "
            'Write @register("NAME") above its class, and give "NAME"'
        )
    names = [tokenizer_name(name) for name in ([models] if isinstance(models, str) else models)]
    if not names:
        raise EvalkitError("no tokenizer was named; give --model NAME (see: evalkit ls tokenizers)")
    unknown = [task for task in tasks if task not in TASKS]
    if unknown:
        raise EvalkitError(f"there is no task called {unknown[0]!r}; give some of {', '.join(TASKS)}")
    check_device(options.device, options.dtype)
    further = _further(features, tasks)
    chosen = [load_protocol(each) for each in dict.fromkeys(protocols)]
    weights = weights_by_name(options.weights, names, canonical=tokenizer_alias)
    images = data if isinstance(data, ImageSet) else open_images(data)
    check_apart(images.spec, options.out or Path("runs"))
    for remark in images.remarks():
        options.progress.note(remark)
    evaluators: Evaluators | None = None
    runs: list[Run] = []
    for name in dict.fromkeys(names):
        model = describe_tokenizer(name, weights.get(name))
        feeds = [feed_of(protocol, model, size, whole=native_resolution) for protocol in chosen]
        evaluators = evaluators or Evaluators(
            chosen, frozenset(tasks), options.device, further, ocr, EvidenceCache.shared()
        )
        spec = tokenizer_spec(model, weights.get(name), images, feeds, evaluators, options, further, ocr)
        runs.append(run_as_wished(TOKENIZER, spec, _folder(spec, options, several=len(set(names)) > 1), options))
    return runs


def _further(features: Sequence[str], tasks: Sequence[str]) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(encoder_entry(name, "features").id for name in features))
    if names and "distribution" not in tasks:
        raise EvalkitError(
            f"the features {', '.join(names)} give distribution distances; add distribution to the tasks, "
            "or leave the features out"
        )
    return names


def _folder(spec: Spec, options: RunOptions, *, several: bool) -> Path:
    name = spec.models["model"].name
    if options.out is None:
        return run_folder(spec, name)
    return options.out / name if several else options.out
