"""Detection as a task: any split gives the same rows, what changed since the plan is noticed, runs of format 1 still verify."""

import json

import pyarrow as pa
import pytest
from helpers.keys import known_key

from evalkit.errors import EvalkitError
from evalkit.jobs import engine_inline
from evalkit.jobs.options import RunOptions
from evalkit.jobs.task import TASKS
from evalkit.jsonio import canonical_json, pretty_json
from evalkit.provenance.verify import verify_run
from evalkit.runs.durable import sha256_of
from evalkit.runs.record import with_digest
from evalkit.runs.shards import MemoryParts
from evalkit.watermark.detection import Rule, calibrate_watermark, detect_mark
from evalkit.watermark.detection.detect import detect_watermark
from evalkit.watermark.detection.task import DETECT
from evalkit.watermark.methods import Several


class Cut(MemoryParts):
    """The rows of a run in pieces."""

    def __init__(self, parts, sizes):
        (table,) = parts.tables()
        super().__init__(table, next(parts.arrays()), next(parts.facts()))
        self.sizes = sizes

    def tables(self):
        start = 0
        for size in self.sizes:
            yield self._rows.slice(start, size)
            start += size


def write(folder, toy, mark, marked=3, plain=4):
    folder.mkdir()
    for i in range(marked):
        (folder / f"m{i}.png").write_bytes(toy.saved(toy.marked(mark, i)))
    for i in range(plain):
        (folder / f"p{i}.png").write_bytes(toy.saved(toy.plain(i)))
    (folder / "p9.png").write_bytes((folder / "m0.png").read_bytes())
    (folder / "x.png").write_bytes(b"")
    return folder


@pytest.fixture
def run(toy, tmp_path):
    mark = toy.mark()
    data = write(tmp_path / "data", toy, mark)
    return detect_mark(
        data, mark, toy.Blocks(), rule=Rule(fdr=0.01), cache=False, options=RunOptions(out=tmp_path / "r")
    )


@pytest.mark.parametrize("sizes", [[9], [1] * 9, [4, 5], [8, 1]])
def test_rows_results_and_csv_are_the_same_for_any_split(run, sizes):
    spec, whole = DETECT.spec(run), DETECT.parts(run)
    done = DETECT.aggregate(spec, Cut(whole, sizes))
    rows = pa.concat_tables(done.rows)
    assert rows.select(run.samples.column_names).equals(run.samples)
    assert [each.value for each in done.results] == [row["value"] for row in run.results]
    assert b"".join(done.files["samples.csv"]) == (run.path / "samples.csv").read_bytes()


def test_a_run_of_format_1_still_verifies(run):
    record = json.loads((run.path / "record.json").read_bytes())
    plan, told = record["plan"], record["detection"]
    record["plan"] = {
        "version": 1,
        "evalkit": plan["evalkit"],
        "task": plan["task"],
        "tokenizer": record["model"]["identity"],
        "preparation": record["model"]["preparation"],
        "data": {name: record["data"][name] for name in ("name", "n", "digest")},
        "dtype": "float32",
        "shard": 256,
        **{name: told[name] for name in ("mark", "rule", "search", "calibration", "c2pa", "heat_maps")},
    }
    (run.path / "plan.json").write_bytes(canonical_json(record["plan"]))
    record["files"]["plan.json"] = sha256_of(run.path / "plan.json")
    (run.path / "record.json").write_bytes(pretty_json(with_digest(record)))
    verdict = verify_run(run.path)
    assert verdict.failures == ()
    assert [step.status for step in verdict.steps if step.level in (0, 1, 3)] == ["passed"] * 3


class Interrupted(engine_inline.Inline):
    """Is killed before the heat maps."""

    def map(self, task, spec, shards, store, progress):
        if shards and shards[0].exhibit is not None:
            raise KeyboardInterrupt
        super().map(task, spec, shards, store, progress)


def test_heat_maps_are_made_after_a_kill_without_scoring_again(toy, tmp_path, monkeypatch):
    mark, tokenizer = toy.mark(), toy.Blocks()
    data, cache, options = write(tmp_path / "data", toy, mark), tmp_path / "c", RunOptions(out=tmp_path / "r")
    with monkeypatch.context() as patch:
        patch.setattr(engine_inline, "Inline", Interrupted)
        with pytest.raises(KeyboardInterrupt):
            detect_mark(data, mark, tokenizer, cache=cache, options=options)
    monkeypatch.setattr("evalkit.watermark.detection.scan.Scanner.scan", lambda *_: pytest.fail("scored twice"))
    run = detect_mark(data, mark, tokenizer, cache=cache, options=options)
    index = json.loads((run.path / "heat" / "index.json").read_bytes())
    assert {each["id"] for each in index} >= {"m0.png", "m1.png", "m2.png"}
    assert all((run.path / name).is_file() for each in index for name in (each["image"], *each["panels"]))
    assert set(run.record["files"]) >= {name for each in index for name in each["panels"]}


def spec_of_plan(toy, tmp_path, monkeypatch, **given):
    """The spec that a detection of sample photos would run, and the reason why it did not."""
    seen = []

    def stop(task, spec, out, wishes):
        seen.append(spec)
        raise KeyboardInterrupt

    monkeypatch.setattr("evalkit.watermark.detection.detect.run_as_wished", stop)
    key = tmp_path / "my.key"
    if not key.exists():
        known_key(key)
    with pytest.raises(KeyboardInterrupt):
        detect_watermark(tmp_path / "data", key, "world-vq", cache=False, **given)
    return seen[0]


def test_what_changed_since_the_plan_is_noticed_before_any_work(toy, tmp_path, monkeypatch):
    write(tmp_path / "data", toy, toy.mark())
    spec = spec_of_plan(toy, tmp_path, monkeypatch)
    DETECT.open(spec, "cpu").close()
    key = (tmp_path / "my.key").read_bytes()
    (tmp_path / "my.key").unlink()
    known_key(tmp_path / "my.key", "another")
    with pytest.raises(EvalkitError, match="not that of the run"):
        DETECT.open(spec, "cpu")
    (tmp_path / "my.key").write_bytes(key)
    (tmp_path / "data" / "p0.png").write_bytes(toy.saved(toy.plain(77)))
    with pytest.raises(EvalkitError, match="have changed since the run was planned"):
        DETECT.open(spec, "cpu")


def test_a_calibration_that_changed_since_the_plan_is_noticed(toy, tmp_path, monkeypatch):
    from evalkit.tokenizers.registry import load_tokenizer
    from evalkit.watermark.keys import read_key
    from evalkit.watermark.methods import MarkSpec, mark_for

    write(tmp_path / "data", toy, toy.mark())
    known_key(tmp_path / "my.key")
    tokenizer = load_tokenizer("world-vq", device="cpu")
    mark = mark_for(MarkSpec(), read_key(tmp_path / "my.key"), tokenizer)
    calibrate_watermark(tmp_path / "data", tokenizer, mark, tmp_path / "cal.npz", cache=False)
    spec = spec_of_plan(toy, tmp_path, monkeypatch, calibration=tmp_path / "cal.npz")
    DETECT.open(spec, "cpu").close()
    (tmp_path / "cal.npz").write_bytes((tmp_path / "cal.npz").read_bytes() + b" ")
    with pytest.raises(EvalkitError, match=r"cal\.npz has changed"):
        DETECT.open(spec, "cpu")


def test_no_plan_and_no_record_holds_a_key_or_where_it_lies(toy, tmp_path):
    one, other = toy.mark(lists=2), toy.mark(lists=2, key=bytes(32))
    data = write(tmp_path / "data", toy, one)
    run = detect_mark(data, Several([one, other]), toy.Blocks(), cache=False, options=RunOptions(out=tmp_path / "r"))
    for name in ("plan.json", "record.json", "samples.csv", "report.html"):
        text = (run.path / name).read_text()
        assert one.key.secret.hex() not in text
        assert "live:" not in text
    assert TASKS.get("watermark-detect") is DETECT
