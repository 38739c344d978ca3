"""Calibration as a task: a run that resumes by shards, verifies without the key, and gives the same for any split."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from helpers.resealed import resealed

from evalkit.errors import EvalkitError
from evalkit.jobs.checks import How
from evalkit.jobs.progress import Progress
from evalkit.runs.shards import MemoryParts
from evalkit.runs.store import read_run
from evalkit.watermark.detection import calibrate_watermark, read_calibration, write_calibration
from evalkit.watermark.detection.calibrate_task import CALIBRATE, CalibrateWorker
from evalkit.watermark.detection.calibration_file import calibration_bytes


@pytest.fixture
def folder(toy, tmp_path):
    """Twelve null images, a copy of the first at the end, and a file that is none."""
    target = tmp_path / "null"
    target.mkdir()
    for i in range(12):
        (target / f"{i:02d}.png").write_bytes(toy.saved(toy.plain(i)))
    (target / "98.png").write_bytes((target / "00.png").read_bytes())
    (target / "99.png").write_bytes(b"")
    return target


def test_the_run_beside_the_file_holds_rows_counts_and_the_calibration(toy, folder, tmp_path):
    done = calibrate_watermark(folder, toy.Blocks(), toy.mark(), tmp_path / "cal.npz", cache=False)
    run = read_run(done.run)
    assert done.run == tmp_path / "cal.run"
    assert {row["metric"]: (row["value"], row["better"]) for row in run.results} == {
        "null_images": (12, "none"),
        "null_failed": (1, "none"),
        "null_copies": (1, "none"),
        "null_suspicious": (0, "none"),
    }
    rows = run.samples.to_pylist()
    assert [row["id"] for row in rows] == sorted(each.name for each in folder.iterdir())
    assert [row["used"] for row in rows] == [True] * 12 + [False, None]
    assert rows[12]["group"] == "00.png"
    assert rows[13]["error"]
    assert [row["statistic"] for row in rows[:12]] == done.calibration.statistic.tolist()
    assert (done.run / "calibration.npz").read_bytes() == (tmp_path / "cal.npz").read_bytes()
    assert toy.mark().key.secret.hex() not in (done.run / "record.json").read_text()


class Stop(Progress):
    """Interrupts after some images."""

    def __init__(self, after):
        self.left = after

    def advance(self, samples, *, resumed=False, timers=None):
        self.left -= samples
        if self.left < 0 and samples and not resumed:
            raise KeyboardInterrupt


def test_a_killed_calibration_goes_on_where_it_was_without_a_cache(toy, folder, tmp_path, monkeypatch):
    calm = calibrate_watermark(folder, toy.Blocks(), toy.mark(), tmp_path / "calm.npz", cache=False)
    monkeypatch.setattr("evalkit.watermark.detection.calibrate.SHARD", 4)
    tokenizer = toy.Blocks()
    with pytest.raises(KeyboardInterrupt):
        calibrate_watermark(folder, tokenizer, toy.mark(), tmp_path / "c.npz", cache=False, progress=Stop(9))
    assert not (tmp_path / "c.npz").exists()
    before = tokenizer.encoded
    calibrate_watermark(folder, tokenizer, toy.mark(), tmp_path / "c.npz", cache=False)
    assert before >= 8
    assert tokenizer.encoded - before <= 13 - 8 + 1
    assert (tmp_path / "c.npz").read_bytes() == (tmp_path / "calm.npz").read_bytes()
    assert pq.read_table(tmp_path / "c.run" / "samples.parquet").equals(read_run(calm.run).samples)


class Cut(MemoryParts):
    """Rows and codes in pieces."""

    def __init__(self, output, sizes):
        super().__init__(output.rows, output.arrays, output.facts)
        self.sizes = sizes

    def tables(self):
        yield from (self._rows.slice(start, size) for start, size in self._places())

    def arrays(self):
        good = np.cumsum([0, *self._rows["error"].is_null().to_pylist()])
        yield from ({"codes": self._arrays["codes"][good[a] : good[a + size]]} for a, size in self._places())

    def _places(self):
        return zip(np.cumsum([0, *self.sizes]).tolist(), self.sizes, strict=False)


@pytest.mark.parametrize("sizes", [[14], [1] * 14, [5, 9], [13, 1]])
def test_files_that_are_equal_count_once_in_any_split(toy, folder, tmp_path, monkeypatch, sizes):
    kept = []
    process = CalibrateWorker.process

    def heard(self, shard, tick):
        kept.append(process(self, shard, tick))
        return kept[-1]

    monkeypatch.setattr(CalibrateWorker, "process", heard)
    done = calibrate_watermark(folder, toy.Blocks(), toy.mark(), tmp_path / "cal.npz", cache=False)
    run = read_run(done.run)
    again = CALIBRATE.aggregate(CALIBRATE.spec(run), Cut(kept[0], sizes))
    assert again.files["calibration.npz"] == (tmp_path / "cal.npz").read_bytes()
    assert pa.concat_tables(again.rows).equals(run.samples)
    assert done.calibration.frequencies.sum() == 12 * 64


def test_the_same_null_images_can_be_written_as_json_too_and_others_need_another_name(toy, folder, tmp_path):
    first = calibrate_watermark(folder, toy.Blocks(), toy.mark(), tmp_path / "cal.npz", cache=False)
    tokenizer = toy.Blocks()
    calibrate_watermark(folder, tokenizer, toy.mark(), tmp_path / "cal.json", cache=False)
    assert tokenizer.encoded == 0
    assert np.array_equal(read_calibration(tmp_path / "cal.json").statistic, first.calibration.statistic)
    with pytest.raises(EvalkitError, match="holds another run"):
        calibrate_watermark(folder, toy.Blocks(), toy.mark(key=bytes(32)), tmp_path / "cal.npz", cache=False)


def test_where_no_image_could_be_read_nothing_is_left(toy, tmp_path):
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.png").write_bytes(b"")
    with pytest.raises(EvalkitError, match="none of the 1 images"):
        calibrate_watermark(tmp_path / "bad", toy.Blocks(), toy.mark(), tmp_path / "cal.npz", cache=False)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["bad"]


def test_codes_alone_are_a_run_too(toy, folder, tmp_path):
    done = calibrate_watermark(folder, toy.Blocks(), None, tmp_path / "codes.npz", cache=False)
    run = read_run(done.run)
    assert [row["metric"] for row in run.results] == ["null_images", "null_failed", "null_copies"]
    assert set(run.samples["statistic"].to_pylist()) == {None}
    assert CALIBRATE.checks().recompute(run, How()).failures == ()


def test_a_changed_row_count_or_calibration_is_named(toy, folder, tmp_path):
    done = calibrate_watermark(folder, toy.Blocks(), toy.mark(), tmp_path / "cal.npz", cache=False)
    checks, run = CALIBRATE.checks(), read_run(done.run)
    assert checks.recompute(run, How()).checked == 4
    values = run.samples["statistic"].to_pylist()
    values[3] += 1
    at = run.samples.column_names.index("statistic")
    changed = run.samples.set_column(at, "statistic", pa.array(values))
    pq.write_table(changed, done.run / "samples.parquet")
    assert "statistics are not those" in checks.recompute(read_run(resealed(done.run)), How()).failures[0].reason
    pq.write_table(run.samples, done.run / "samples.parquet")
    results = [{**row, "value": row["value"] + 1} for row in run.results]
    (done.run / "results.json").write_text(json.dumps(results))
    assert len(checks.recompute(read_run(resealed(done.run)), How()).failures) == 4
    assert "key" in checks.regenerate(run, 1, How()).open


def test_a_written_calibration_has_the_bytes_of_the_run(tmp_path, toy, folder):
    done = calibrate_watermark(folder, toy.Blocks(), toy.mark(), tmp_path / "cal.npz", cache=False)
    write_calibration(tmp_path / "again.npz", done.calibration)
    assert (tmp_path / "again.npz").read_bytes() == calibration_bytes(done.calibration)
    assert (tmp_path / "again.npz").read_bytes() == (tmp_path / "cal.npz").read_bytes()
