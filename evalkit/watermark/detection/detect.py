"""`detect_watermark`: which images of a folder carry a mark, with error rates that hold."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy.typing as npt

from evalkit.errors import EvalkitError, MissingDependency
from evalkit.images.folder import FolderSet
from evalkit.images.sample import ImageSet
from evalkit.jobs.engine_inline import run_as_wished, run_folder
from evalkit.jobs.live import hold
from evalkit.jobs.options import RunOptions, check_apart
from evalkit.jobs.spec import Spec
from evalkit.runs.store import Run
from evalkit.tokenizers.base import Tokenizer
from evalkit.tokenizers.network import NetworkTokenizer
from evalkit.tokenizers.registry import load_tokenizer
from evalkit.watermark.detection.calibration_file import calibration_digest, read_calibration
from evalkit.watermark.detection.columns import method_of
from evalkit.watermark.detection.decoy_scores import MANY, has_decoys, planned_decoys, usual_count, usual_decoys
from evalkit.watermark.detection.located import LEVEL, RULE
from evalkit.watermark.detection.messages import check_among
from evalkit.watermark.detection.scan_spec import Cache, Planned, planned
from evalkit.watermark.detection.search import TEMPLATED
from evalkit.watermark.detection.task import DETECT, SHARDS, VERSION
from evalkit.watermark.detection.verdict import Decide, Rule
from evalkit.watermark.detection.worker import Manifests, read_manifests
from evalkit.watermark.keys import Key
from evalkit.watermark.mark import Mark
from evalkit.watermark.methods import MarkFile, MarkSpec, read_mark
from evalkit.watermark.methods.plain import check_tokenizer, live_mark, plain_marks
from evalkit.watermark.shipped import weights_of

FEWEST = 99  # decoy keys, so that a p of 0.01 can be told
HEAT_MAPS = {"none": 0, "worst": 12, "all": 96}  # by --keep


def detect_watermark(
    data: str | Path | ImageSet,
    key: str | Path | Key | Sequence[str | Path | Key],
    tokenizer: str | Tokenizer | None = None,
    *,
    mark: MarkSpec | str | Path | None = None,
    epochs: Sequence[str] = (),
    frequencies: npt.NDArray[Any] | str | Path | None = None,
    alpha: float = 1e-3,
    fdr: float | None = None,
    decide: Decide | None = None,
    search: str | None = None,
    calibration: str | Path | None = None,
    cache: Cache = None,
    decoys: int | None = None,
    regions: bool = False,
    c2pa: bool = False,
    anchors: bytes | str | Path | None = None,
    among: str | None = None,
    options: RunOptions | None = None,
) -> Run:
    """Look for the mark of `key` in every image of `data`; a sealed run with one row per image.

    `key`: a key, its file or env:NAME, or several (the tests are added up, as for `epochs`). `tokenizer`: whose codes carry
    the mark; may be left out where `mark` is a mark.json, which says it. `mark`: the method and its numbers [LBW with one
    list]; `frequencies`: counts of codes, or their file. `alpha`, `fdr`, `decide`: see `Rule`; `search`: what else is
    tried where the image itself does not decide (`search.read_search`) [the template, where `mark` is a mark.json of images
    that have one and there is no calibration]. `calibration`: a file of `calibrate_watermark`.
    `decoys`: how many decoy keys are scored, 0 for none [several hundred without a calibration].
    What decides where nobody says: the larger p with a calibration, else decoy keys, else the exact p. `regions`: which
    parts of each image carry the mark, or lack it, is asked too. `cache`: the file of codes [the user's], or False. `c2pa`: read
    manifests too; `anchors`: PEM certificates to trust, or their file. `among`: which messages are looked for, such as
    `model=3,user=0-999999` [any, where presence is established].

    Rows hold `verdict` (detected, not detected, inconclusive, error), `p` and `log10_p` (exact, corrected for lists, keys
    and views), `q`, `z_uncalibrated` (no p-value follows from it) and more: docs/watermark.md. Raises `EvalkitError`
    before any work where something does not fit.

    >>> import pathlib, tempfile
    >>> from evalkit.jobs.options import RunOptions
    >>> from evalkit.watermark.keys import new_key
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> key = new_key(folder / "my.key")
    >>> run = detect_watermark("sample/photos", key, "world-vq", cache=False, options=RunOptions(out=folder / "run", limit=2))
    >>> run.samples["verdict"].to_pylist()  # nobody marked the sample images
    ['not detected', 'not detected']
    """
    options = options or RunOptions()
    given = [key] if isinstance(key, str | Path | Key) else list(key)
    file = None if mark is None or isinstance(mark, MarkSpec) else read_mark(mark)
    spec = file.spec if file is not None else mark if isinstance(mark, MarkSpec) else MarkSpec()
    specs = [spec.at(epoch) for epoch in dict.fromkeys(epochs)] or [spec]
    plain = plain_marks(specs, given, frequencies, file)
    name = tokenizer or (file.tokenizer_name if file is not None else None)
    if name is None:
        raise EvalkitError("whose codes carry the mark? Give a tokenizer, such as llamagen-vq16, or a mark.json")
    wanted = search if search is not None else default_search(file, calibration)
    scan = planned(data, name, plain, wanted, cache, options)
    check_among(spec.layout, among)
    keys = decoy_count(scan, calibration, decoys, decide)
    rule = Rule(alpha, fdr, decide or default_decision(calibration, keys))
    manifests = _manifests(anchors) if c2pa else None
    return _detect(scan, rule, calibration, keys, manifests, options, regions=regions, among=among)


def detect_mark(
    data: str | Path | ImageSet,
    mark: Mark,
    tokenizer: Tokenizer,
    *,
    rule: Rule | None = None,
    search: str = "none",
    calibration: str | Path | None = None,
    cache: Cache = None,
    decoys: int | None = None,
    regions: bool = False,
    c2pa: bool = False,
    anchors: bytes | str | Path | None = None,
    options: RunOptions | None = None,
) -> Run:
    """`detect_watermark` for a mark and a tokenizer that are made already."""
    options = options or RunOptions()
    check_tokenizer(mark, tokenizer)
    scan = planned(data, tokenizer, live_mark(mark), search, cache, options)
    keys = decoy_count(scan, calibration, decoys, None if rule is None else rule.decide)
    rule = rule or Rule(decide=default_decision(calibration, keys))
    manifests = _manifests(anchors) if c2pa else None
    return _detect(scan, rule, calibration, keys, manifests, options, regions=regions)


def _detect(
    scan: Planned,
    rule: Rule,
    calibration: str | Path | None,
    decoys: int,
    manifests: Manifests | None,
    options: RunOptions,
    *,
    regions: bool,
    among: str | None = None,
) -> Run:
    """Plan the detection and run it."""
    digest: str | None = None
    method = method_of(said_by(scan))
    if regions and (method == "payload" or not has_decoys(said_by(scan))):
        raise EvalkitError(f"regions need decoy keys of single codes, and {method} has none. Leave out --regions")
    if calibration is not None:
        digest = calibration_digest(calibration)
        used = read_calibration(calibration)
        if scan.mark is not None and scan.mark.whole:
            used.check(scan.conditions, str(calibration))
    elif rule.decide in ("calibrated", "larger"):
        raise EvalkitError(f"deciding by the {rule.decide} p needs calibrated ones; give --calibration FILE")
    if manifests is not None:
        _check_c2pa(manifests.anchors, scan.looked.images)
    parameters = {
        **scan.parameters,
        "rule": asdict(rule),
        "calibration": digest,
        "c2pa": None if manifests is None else hashlib.sha256(manifests.anchors or b"").hexdigest(),
        "heat_maps": HEAT_MAPS[options.keep],
        **({} if among is None else {"among": among}),
        "decoys": drawn(scan, decoys, options.seed) if decoys else None,
        "regions": {**drawn(scan, usual_count(said_by(scan)), options.seed), "level": LEVEL, "rule": RULE}
        if regions
        else None,
    }
    here = {
        **scan.here,
        "calibration": None if calibration is None else str(calibration),
        "anchors": None if manifests is None else manifests.source or hold(manifests),
    }
    spec = Spec(
        DETECT.name,
        VERSION,
        {"tokenizer": scan.ref},
        {"data": scan.looked.ref},
        parameters=parameters,
        seed=options.seed,
        shard=SHARDS[0] if scan.looked.ref.n < SHARDS[2] else SHARDS[1],
        here=here,
    )
    out = options.out or run_folder(spec, scan.ref.name)
    check_apart(scan.looked.images.spec, out)
    for remark in scan.looked.about["remarks"]:
        options.progress.note(remark)
    return run_as_wished(DETECT, spec, out, options)


def default_search(file: MarkFile | None, calibration: str | Path | None) -> str:
    """The template and light behind it, where a mark.json says that images have one; a calibration has its own search."""
    templated = file is not None and calibration is None and bool(file.embedding.get("template"))
    return TEMPLATED if templated else "none"


def default_decision(calibration: str | Path | None, decoys: int) -> Decide:
    """The larger of both p-values where there are both: it holds for a random key, and for this key on images like the
    null ones. Else decoy keys, which hold for these very images, where there are some.
    """
    return "larger" if calibration is not None else "decoys" if decoys else "exact"


def decoy_count(scan: Planned, calibration: str | Path | None, asked: int | None, decide: Decide | None) -> int:
    """How many decoy keys are scored; raises `EvalkitError` where some are asked for and cannot be had."""
    said = said_by(scan)
    able = has_decoys(said)
    if (bool(asked) or decide == "decoys") and not able:
        raise EvalkitError(
            f"the method {method_of(said)} has no decoy keys. Give --calibration FILE, or --decide exact"
        )
    if decide == "decoys" and asked == 0:
        raise EvalkitError("deciding by decoy keys needs some; leave out --decoys 0")
    if asked and not FEWEST <= asked <= MANY:
        raise EvalkitError(f"{asked:,} decoy keys are too few or too many; give --decoys {FEWEST} to {MANY}, or 0")
    if asked is not None:
        return asked
    if decide == "decoys":
        return usual_count(said)
    return usual_decoys(said, len(scan.views)) if calibration is None and decide is None else 0


def drawn(scan: Planned, keys: int, seed: int) -> dict[str, Any]:
    """What the plan says of `keys` decoy keys."""
    return planned_decoys(said_by(scan), keys, seed)


def said_by(scan: Planned) -> Mapping[str, Any]:
    """The mark of a scan, as `Mark.as_dict` says it."""
    return {} if scan.mark is None else scan.mark.said


def loaded_tokenizer(name: str, options: RunOptions, *, elsewhere: bool = False) -> Tokenizer:
    """The tokenizer called `name` with the weights, device and precision of the options.

    `elsewhere`: the weights may be of other models, too.
    """
    weights = weights_of(name, options.weights, elsewhere=elsewhere)
    found = load_tokenizer(name, weights, options.device, options.dtype)
    if options.compile and isinstance(found, NetworkTokenizer):
        found.compile()
    return found


def _manifests(anchors: bytes | str | Path | None) -> Manifests:
    if anchors is None or isinstance(anchors, bytes):
        return Manifests(anchors)
    return read_manifests(str(anchors))


def _check_c2pa(anchors: bytes | None, images: ImageSet) -> None:
    if importlib.util.find_spec("c2pa") is None:
        raise MissingDependency("C2PA", "sign")
    if anchors is not None and b"BEGIN CERTIFICATE" not in anchors:
        raise EvalkitError("--c2pa-anchors is a file of PEM certificates; the one given holds none")
    if not isinstance(images, FolderSet):
        raise EvalkitError(
            f"C2PA manifests are read from files; {images.spec} is no folder. Unpack it, or leave out --c2pa"
        )
