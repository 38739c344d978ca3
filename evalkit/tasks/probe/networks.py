"""The networks and the judge that a probe is run with, as a spec names them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from evalkit.encoders.detectors.base import Detector
from evalkit.encoders.detectors.describe import describe_detector
from evalkit.encoders.registry import ENCODERS
from evalkit.encoders.zero_shot import KEY, ZeroShot
from evalkit.errors import WeightsError
from evalkit.jobs.live import hold
from evalkit.jobs.options import weights_by_name
from evalkit.jobs.spec import ModelRef
from evalkit.tasks.probe.judged.options import JudgeOptions
from evalkit.tasks.probe.judged.suite import JudgedSuite
from evalkit.tasks.probe.suite import Suite
from evalkit.weights.find import find_weights
from evalkit.weights.reading import file_sha256


def networks_of(
    suite: Suite, detector: str | Detector | None, colors: ZeroShot | None, given: tuple[str, ...], *, shared: bool
) -> tuple[dict[str, ModelRef], Any]:
    """References to the detector and, where it sees no colours, to who names them; and the objects that they refer to."""
    chosen = detector or suite.detector
    if chosen is None:
        return {}, ()
    files: dict[str, str] = {}
    if isinstance(chosen, Detector):
        files = _files(given, (KEY,), shared=shared)
        models = {"detector": ModelRef(chosen.id, chosen.weights_sha256, weights=hold(chosen))}
        sees = chosen.sees_colors
    else:
        name = ENCODERS.canonical(chosen)
        files = _files(given, (name, KEY), shared=shared)
        file = files.get(name)
        with _named(name, file):
            known = describe_detector(name, file)
        models, sees = (
            {"detector": ModelRef(name, known.weights_sha256, weights=file if known.weights_sha256 else None)},
            known.sees_colors,
        )
    if colors is not None:
        models["colors"] = ModelRef(colors.id, colors.weights_sha256, weights=hold(colors))
    elif not sees and not isinstance(suite, JudgedSuite):  # whose rules ask for no colour
        with _named(KEY, files.get(KEY)):
            path = find_weights(KEY, files.get(KEY))
        models["colors"] = ModelRef(KEY, file_sha256(path), weights=str(path))
    return models, (chosen, colors)


@contextmanager
def _named(name: str, given: str | None) -> Iterator[None]:
    """An error about weights that were not given says how they are given here."""
    try:
        yield
    except WeightsError as error:
        if given is not None:
            raise
        raise WeightsError(f"{error}, or type --weights {name}=PATH") from None


def _files(given: tuple[str, ...], names: tuple[str, ...], *, shared: bool) -> dict[str, str]:
    """Files of `--weights` by network; where a generator shares the list, a FILE without a name is the generator's."""
    mine = [each for each in given if not shared or Path(each).is_dir() or each.partition("=")[0] in names]
    return weights_by_name(mine, names, main=names[0])


def judge_of(suite: JudgedSuite, judge: JudgeOptions, device: str) -> tuple[dict[str, ModelRef], Any]:
    """A reference to the judge and the judge; neither where none is named and the suite can do without."""
    if judge.judge is None and all(call.optional for call in suite.said.calls):
        return {}, ()
    ref, made = judge.model(suite, device)
    return {"judge": ref}, made
