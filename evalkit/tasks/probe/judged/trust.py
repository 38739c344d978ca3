"""Whether a judge can be trusted: repeated questions, control images, two judges or people, and a pack of anchors."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from evalkit.errors import DAMAGED, EvalkitError
from evalkit.images.sample import Sample
from evalkit.jobs.options import RunOptions
from evalkit.judges.agreement import Repeatability, Weights, agreement, kappa, repeatability
from evalkit.judges.anchors import AnchorPack, Drift, drift, read_anchors, write_anchors
from evalkit.judges.asking import AskOptions
from evalkit.judges.controls import Control, blank_like, check_control, shuffled_pairs
from evalkit.judges.store import ReplyStore
from evalkit.judges.usage import Ledger, Prices
from evalkit.metrics.base import Estimate
from evalkit.runs.store import Run, read_run
from evalkit.tasks.probe.evidence.record import Evidence
from evalkit.tasks.probe.judged.options import JudgeOptions
from evalkit.tasks.probe.judged.seat import Seat, replies_file
from evalkit.tasks.probe.judged.suite import DECLARATION, JudgedSuite
from evalkit.tasks.probe.listing import list_images
from evalkit.tasks.probe.spec import suite_called
from evalkit.tasks.probe.suite import Encoders, ProbeImage
from evalkit.textfiles import read_text, table_rows


@dataclass(frozen=True)
class Bench:
    """The images of a judged run with its suite and the judge, ready to be asked about."""

    suite: JudgedSuite
    seat: Seat
    images: tuple[ProbeImage, ...]

    def scores(self, images: Sequence[ProbeImage], repeat: int = 0) -> list[float | None]:
        """The score of each image; None where it is lost."""
        found = self.suite.evidence(images, Encoders(judge=replace(self.seat, repeat=repeat)))
        rows = {row.image: row.score for row in self.suite.rules(Evidence(tuple(found)))}
        return [rows.get(image.image) for image in images]

    @property
    def prompts(self) -> list[str]:
        """The prompt of each image."""
        return [image.prompt for image in self.images]


def bench_of(run: str | Path, judge: JudgeOptions, options: RunOptions | None = None) -> Bench:
    """The bench of a sealed run, perhaps with another judge. Raises `EvalkitError` for a run of another kind."""
    found, options = read_run(run), options or RunOptions()
    said = found.record["plan"]["parameters"]
    own = found.path / DECLARATION
    name = str(own) if own.is_file() else str(said.get("suite"))
    suite = suite_called(name) if found.record["task"] == "probe" else None
    if not isinstance(suite, JudgedSuite):
        raise EvalkitError(f"{run} is no run of a judged suite. Give one that evalkit probe made with --judge")
    suite = judge.opened(suite)
    listing = list_images(
        str(found.record["data"]["spec"]), suite, int(said["samples"]), options.limit or said["limit"]
    )
    read = listing.read(0, len(listing.images), threads=options.threads)
    images = tuple(
        ProbeImage(placed.name, placed.prompt, placed.sample, sample.image)
        for placed, sample in zip(listing.images, read, strict=True)
        if isinstance(sample, Sample)
    )
    _, made = judge.model(suite, options.device)
    ledger = Ledger(Prices(*judge.prices), most_cost=judge.budget, most_requests=judge.requests)
    store = ReplyStore(judge.replies or replies_file(made.model))
    store.check_of(made.model)
    return Bench(suite, Seat(made, store, ledger, AskOptions(parse_tries=1)), images)


def repeated(bench: Bench, times: int = 3) -> Repeatability:
    """How alike `times` replies to each question are, by the scores that they give."""
    rounds = [bench.scores(bench.images, repeat=1000 + number) for number in range(times)]
    return repeatability(list(zip(*rounds, strict=True)))


def controlled(bench: Bench, seed: int = 0) -> list[Control]:
    """Whether right images score more than those of other prompts, and than blank ones."""
    right, images = bench.scores(bench.images), bench.images
    moved = shuffled_pairs(bench.prompts, seed)
    shuffled = [replace(image, pixels=images[place].pixels) for image, place in zip(images, moved, strict=True)]
    blank = [replace(image, pixels=blank_like(image.pixels)) for image in images]
    return [
        check_control(name, right, bench.scores(each), clusters=bench.prompts)
        for name, each in (("images of other prompts", shuffled), ("blank images", blank))
    ]


def agreed(a: str | Path, b: str | Path, weights: Weights = "none") -> tuple[Estimate, Estimate]:
    """(share of equal scores, Cohen's kappa) of two runs of a suite, or of a run and a CSV of people (id, value)."""
    one, other = _values(a), _values(b)
    ids = sorted(set(one) & set(other))
    if not ids:
        raise EvalkitError(f"{a} and {b} share no image that both scored. Give runs of the same images")
    clusters = [name.rpartition("-")[0] or name for name in ids]
    x, y = [one[name] for name in ids], [other[name] for name in ids]
    return agreement(x, y, clusters=clusters), kappa(x, y, weights=weights, clusters=clusters)


def make_anchors(run: str | Path, out: Path) -> AnchorPack:
    """Keep what the judge of a run says of its images, so that a later run shows its drift."""
    found = read_run(run)
    pack = AnchorPack(_judge(found), None, datetime.date.today().isoformat(), _values(run))
    write_anchors(out, pack)
    return pack


def check_anchors(pack: Path, run: str | Path, tolerance: float) -> Drift:
    """How the scores of a run of the pack's images have moved; an alarm beyond `tolerance`, on the scores' scale."""
    return drift(read_anchors(pack), _values(run), tolerance=tolerance)


def _judge(run: Run) -> str:
    judge = run.record["probe"]["evidence"].get("judge")
    return str(judge["judge"]) if isinstance(judge, Mapping) else run.record["probe"]["score"]


def _values(source: str | Path) -> dict[str, float]:
    """Scores by image, of a sealed run or of a CSV file with id and value."""
    path = Path(source).expanduser()
    if path.is_file():
        return _stated(path)
    rows = read_run(path).samples.select(["id", "score"]).to_pylist()
    return {
        str(row["id"]): float(row["score"]) for row in rows if row["score"] is not None and not math.isnan(row["score"])
    }


def _stated(path: Path) -> dict[str, float]:
    """What people say of each image, from a CSV. Raises `EvalkitError` with the line that says nothing, or says it again."""
    found: dict[str, float] = {}
    for line, row in table_rows(read_text(path), str(path)):
        try:
            name, value = row["id"].strip(), float(row["value"])
        except DAMAGED:
            raise EvalkitError(f"{path}, line {line} has no id and value. Write a CSV with these columns") from None
        if not name or not math.isfinite(value) or name in found:
            said = "again" if name in found else "without an id" if not name else f"as {value}"
            raise EvalkitError(f"{path}, line {line} states {name[:60]!r} {said}. Give each image one finite value")
        found[name] = value
    return found
