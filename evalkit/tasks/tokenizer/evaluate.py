"""`evaluate_tokenizer`: how much does a visual tokenizer destroy?"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from evalkit.encoders import EXTRACTORS
from evalkit.errors import EvalkitError
from evalkit.images import open_images
from evalkit.images.sample import ImageSet
from evalkit.jobs.engine_inline import run_job
from evalkit.jobs.job import RunOptions
from evalkit.jsonio import canonical_json
from evalkit.protocols import load_protocol
from evalkit.runs.store import Run, RunStore
from evalkit.tasks.tokenizer.evaluators import Judges
from evalkit.tasks.tokenizer.job import TokenizerJob
from evalkit.tasks.tokenizer.pixels import feed_of
from evalkit.tokenizers.base import NetworkTokenizer
from evalkit.tokenizers.registry import load_tokenizer, tokenizer_name

DEFAULT_TASKS = ("reconstruction", "detail", "text", "distribution", "codes")
TASKS = (*DEFAULT_TASKS, "survival", "shift", "fid-infinity")  # survival and shift run the model several times more


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

    `data`: what `open_images` takes. `tasks`: some of reconstruction, detail, text, distribution, codes, survival, shift,
    fid-infinity.
    `size`: side of the square input where the model allows others than its own. `native_resolution`: each image at
    its own size instead, padded or in tiles (`native`). `features`: feature extractors of further distribution
    distances, such as dinov2-vitl14 and clip-vitl14. `ocr`: who reads text: rapidocr, http:URL#MODEL or
    transformers:REPO. Runs that are complete are read back, interrupted ones are resumed. Raises `EvalkitError` before
    any work where a name, a file or an option is wrong.

    >>> import tempfile, pathlib
    >>> out = pathlib.Path(tempfile.mkdtemp()) / "run"
    >>> from evalkit.jobs.job import RunOptions
    >>> (run,) = evaluate_tokenizer("jpeg-q75", "sample/photos", tasks=["reconstruction"],
    ...                             options=RunOptions(out=out, limit=2, keep="none"))
    >>> [row["metric"] for row in run.results if row["status"] == "ok"][:2]
    ['psnr', 'ssim']
    """
    options = options or RunOptions()
    names = [tokenizer_name(name) for name in ([models] if isinstance(models, str) else models)]
    if not names:
        raise EvalkitError("no tokenizer was named; give --model NAME (see: evalkit ls tokenizers)")
    unknown = [task for task in tasks if task not in TASKS]
    if unknown:
        raise EvalkitError(f"there is no task called {unknown[0]!r}; give some of {', '.join(TASKS)}")
    further = _further(features, tasks)
    chosen = [load_protocol(each) for each in dict.fromkeys(protocols)]
    weights = _weights_by_name(options.weights, names)
    images = data if isinstance(data, ImageSet) else open_images(data)
    for remark in images.remarks():
        options.progress.note(remark)
    judges: Judges | None = None
    runs: list[Run] = []
    for name in dict.fromkeys(names):
        model = load_tokenizer(name, weights.get(name), options.device, options.dtype)
        if options.compile and isinstance(model, NetworkTokenizer):
            model.compile()
        feeds = [feed_of(protocol, model, size, whole=native_resolution) for protocol in chosen]
        judges = judges or Judges(chosen, frozenset(tasks), options.device, further, ocr)
        job = TokenizerJob(model, images, feeds, judges, options)
        runs.append(run_job(job, RunStore(_folder(job, options, several=len(set(names)) > 1)), options))
    return runs


def _further(features: Sequence[str], tasks: Sequence[str]) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(EXTRACTORS.canonical(name) for name in features))
    if names and "distribution" not in tasks:
        raise EvalkitError(
            f"the features {', '.join(names)} give distribution distances; add distribution to the tasks, "
            "or leave the features out"
        )
    return names


def _folder(job: TokenizerJob, options: RunOptions, *, several: bool) -> Path:
    if options.out is not None:
        return options.out / job.model.name if several else options.out
    digest = hashlib.sha256(canonical_json(job.plan())).hexdigest()[:10]
    return Path("runs") / f"tokenizer-{job.model.name}-{digest}"


def _weights_by_name(given: Sequence[str], names: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in given:
        name, equals, path = each.partition("=")
        if equals and name in names:
            found[name] = path
        elif len(set(names)) == 1:
            found[names[0]] = each
        else:
            raise EvalkitError(f"--weights {each} with several models: say which, as --weights {names[0]}={each}")
    return found
