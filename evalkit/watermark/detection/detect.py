"""`detect_watermark`: which images of a folder carry a mark, with error rates that hold."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy.typing as npt

from evalkit.errors import EvalkitError
from evalkit.images import open_images
from evalkit.images.folder import FolderSet
from evalkit.images.sample import ImageSet
from evalkit.jobs.engine_inline import run_job
from evalkit.jobs.job import RunOptions
from evalkit.jsonio import canonical_json
from evalkit.runs.store import Run, RunStore
from evalkit.tokenizers.base import NetworkTokenizer, Tokenizer
from evalkit.tokenizers.registry import load_tokenizer
from evalkit.watermark.detection.cache import CodeCache
from evalkit.watermark.detection.calibration import Calibration, conditions_of, read_calibration
from evalkit.watermark.detection.job import DetectJob
from evalkit.watermark.detection.request import Request
from evalkit.watermark.detection.verdict import Decide, Rule
from evalkit.watermark.detection.views import read_search
from evalkit.watermark.identity import tokenizer_identity
from evalkit.watermark.keys import Key, read_key
from evalkit.watermark.mark import Mark
from evalkit.watermark.methods import MarkSpec, Several, mark_for, read_mark

HEAT_MAPS = {"none": 0, "worst": 12, "all": 96}  # by --keep
CELL = 16  # pixels of a code where a tokenizer does not say
Cache = str | Path | Literal[False] | None


def detect_watermark(
    data: str | Path | ImageSet,
    key: str | Path | Key | Sequence[str | Path | Key],
    tokenizer: str | Tokenizer | None = None,
    *,
    mark: MarkSpec | str | Path | None = None,
    epochs: Sequence[str] = (),
    frequencies: npt.NDArray[Any] | None = None,
    alpha: float = 1e-3,
    fdr: float | None = None,
    decide: Decide | None = None,
    search: str = "none",
    calibration: str | Path | None = None,
    cache: Cache = None,
    c2pa: bool = False,
    anchors: bytes | None = None,
    options: RunOptions | None = None,
) -> Run:
    """Look for the mark of `key` in every image of `data`; a sealed run with one row per image.

    `key`: a key, its file or env:NAME, or several (the tests are added up, as for `epochs`). `tokenizer`: whose codes carry
    the mark; may be left out where `mark` is a mark.json, which says it. `mark`: the method and its numbers [LBW with one
    list]. `alpha`, `fdr`, `decide` [the larger p with a calibration, else the exact one]: see `Rule`; `search`: what else is
    tried where the image itself does not decide (`views.read_search`). `calibration`: a file of `calibrate_watermark`.
    `cache`: the file of codes [the user's], or False. `c2pa`: read manifests too; `anchors`: PEM certificates to trust.

    Rows hold `verdict` (detected, not detected, inconclusive, error), `p` and `log10_p` (exact, corrected for lists, keys
    and views), `q`, `z_uncalibrated` (no p-value follows from it) and more: docs/watermark.md. Raises `EvalkitError`
    before any work where something does not fit.

    >>> import pathlib, tempfile
    >>> from evalkit.jobs.job import RunOptions
    >>> from evalkit.watermark.keys import new_key
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> key = new_key(folder / "my.key")
    >>> run = detect_watermark("sample/photos", key, "world-vq", cache=False, options=RunOptions(out=folder / "run", limit=2))
    >>> run.samples["verdict"].to_pylist()  # nobody marked the sample pictures
    ['not detected', 'not detected']
    """
    options = options or RunOptions()
    rule = Rule(alpha, fdr, decide or default_decision(calibration))
    given = [key] if isinstance(key, str | Path | Key) else list(key)
    keys = [each if isinstance(each, Key) else read_key(each) for each in given]
    file = None if mark is None or isinstance(mark, MarkSpec) else read_mark(mark)
    spec = file.spec if file is not None else mark if isinstance(mark, MarkSpec) else MarkSpec()
    if file is not None:
        file.check(keys[0])
    name = tokenizer or (file.tokenizer_name if file is not None else None)
    if name is None:
        raise EvalkitError("whose codes carry the mark? Give a tokenizer, such as llamagen-vq16, or a mark.json")
    loaded = loaded_tokenizer(name, options) if isinstance(name, str) else name
    if file is not None:
        file.check(keys[0], tokenizer_identity(loaded))
    specs = [spec.at(epoch) for epoch in dict.fromkeys(epochs)] or [spec]
    marks = [mark_for(each, k, loaded, frequencies=frequencies) for k in keys for each in specs]
    return detect_mark(
        data,
        marks[0] if len(marks) == 1 else Several(marks),
        loaded,
        rule=rule,
        search=search,
        calibration=calibration,
        cache=cache,
        c2pa=c2pa,
        anchors=anchors,
        options=options,
    )


def detect_mark(
    data: str | Path | ImageSet,
    mark: Mark,
    tokenizer: Tokenizer,
    *,
    rule: Rule | None = None,
    search: str = "none",
    calibration: str | Path | None = None,
    cache: Cache = None,
    c2pa: bool = False,
    anchors: bytes | None = None,
    options: RunOptions | None = None,
) -> Run:
    """`detect_watermark` for a mark and a tokenizer that are made already."""
    options, rule = options or RunOptions(), rule or Rule(decide=default_decision(calibration))
    if mark.tokenizer != tokenizer_identity(tokenizer):
        raise EvalkitError(f"the mark is made for {mark.tokenizer}; the tokenizer is {tokenizer_identity(tokenizer)}")
    views = read_search(search, tokenizer.multiple if tokenizer.multiple > 1 else CELL)
    used: Calibration | None = None
    if calibration is not None:
        used = read_calibration(calibration)
        used.check(conditions_of(mark, tokenizer, views), str(calibration))
    elif rule.decide != "exact":
        raise EvalkitError(f"deciding by the {rule.decide} p needs calibrated ones; give --calibration FILE")
    if c2pa:
        _check_c2pa(anchors)
    images = data if isinstance(data, ImageSet) else open_images(data)
    if c2pa and not isinstance(images, FolderSet):
        raise EvalkitError(
            f"C2PA manifests are read from files; {images.spec} is no folder. Unpack it, or leave out --c2pa"
        )
    digest = None if calibration is None else hashlib.sha256(Path(calibration).expanduser().read_bytes()).hexdigest()
    kept = CodeCache(":memory:" if cache is False else cache)
    try:
        request = Request(mark, rule, views, used, digest, c2pa, anchors, HEAT_MAPS[options.keep])
        job = DetectJob(request, tokenizer, images, kept, options)
        return run_job(job, RunStore(_folder(job, options)), options)
    finally:
        kept.close()


def default_decision(calibration: str | Path | None) -> Decide:
    """The larger of both p-values where there are both: it holds for a random key, and for this key on images like the
    null ones.
    """
    return "exact" if calibration is None else "larger"


def loaded_tokenizer(name: str, options: RunOptions) -> Tokenizer:
    """The tokenizer called `name` with the weights, device and precision of the options."""
    own = [each.partition("=")[2] for each in options.weights if each.startswith(f"{name}=")]
    plain = [each for each in options.weights if "=" not in each or Path(each).exists()]
    found = load_tokenizer(name, next(iter([*own, *plain]), None), options.device, options.dtype)
    if options.compile and isinstance(found, NetworkTokenizer):
        found.compile()
    return found


def _folder(job: DetectJob, options: RunOptions) -> Path:
    """The run's folder; raises where it lies within the data, whose next scan would find the run's own images."""
    digest = hashlib.sha256(canonical_json(job.plan())).hexdigest()[:10]
    out = options.out or Path("runs") / f"watermark-{job.tokenizer.name}-{digest}"
    source = Path(job.images.spec).expanduser()
    if source.is_dir() and out.resolve().is_relative_to(source.resolve()):
        raise EvalkitError(f"the run would lie within the data {source} ({out}); give --out of another folder")
    return out


def _check_c2pa(anchors: bytes | None) -> None:
    import importlib.util

    from evalkit.errors import MissingDependency

    if importlib.util.find_spec("c2pa") is None:
        raise MissingDependency("C2PA", "sign")
    if anchors is not None and b"BEGIN CERTIFICATE" not in anchors:
        raise EvalkitError("--c2pa-anchors is a file of PEM certificates; the one given holds none")
