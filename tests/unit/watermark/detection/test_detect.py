"""Detection of folders: one row a file, right verdicts, the same bytes after an interruption, nothing encoded twice."""

import csv
import hashlib
import json
import os
import re
import zipfile

import numpy as np
import pyarrow.parquet as pq
import pytest

import evalkit
from evalkit.errors import EvalkitError
from evalkit.images import open_images
from evalkit.jobs.options import RunOptions
from evalkit.jobs.progress import Progress
from evalkit.watermark.detection import Rule, detect_mark, detect_watermark
from evalkit.watermark.detection.reader import Reader
from evalkit.watermark.methods import MarkSpec, Several, write_mark


def files(run):
    return {name: (run / name).read_bytes() for name in ("samples.parquet", "samples.csv", "results.json")}


def write(folder, **images):
    folder.mkdir(exist_ok=True)
    for name, data in images.items():
        (folder / f"{name}.png").write_bytes(data)


def test_a_folder_of_every_awkward_kind_gets_one_row_a_file_and_right_verdicts(toy, tmp_path):
    mark = toy.mark()
    right = toy.awkward_folder(tmp_path / "data", mark, 105)
    run = detect_mark(
        tmp_path / "data", mark, toy.Blocks(), rule=Rule(1e-6), cache=False, options=RunOptions(out=tmp_path / "run")
    )
    rows = {row["id"]: row for row in run.samples.to_pylist()}
    assert len(run.samples) == len(rows)
    assert {id: row["verdict"] for id, row in rows.items()} == right
    counts = run.record["detection"]["counts"]
    assert counts["error"] == sum(verdict == "error" for verdict in right.values())
    assert all((row["error"] is None) == (row["p"] is not None) for row in rows.values())
    assert rows["000/pages.tif"]["warning"] == "of several frames or pages the first alone is looked at"
    assert "centre square" in rows["000/long.png"]["warning"]
    assert rows["000/png named.jpg"]["format"] == "PNG"
    assert rows["000/copy of marked.png"]["group"] == rows["000/marked.png"]["group"]
    found = {row["metric"]: row["value"] for row in run.results}
    assert found["detected"] == sum(verdict == "detected" for verdict in right.values())
    assert found["expected_false_positives"] == pytest.approx(1e-6 * (len(right) - counts["error"]))
    page = (tmp_path / "run" / "report.html").read_text()
    assert "<script>alert" not in page
    assert "“Not detected” does not mean “not generated”" in page


def test_csv_and_parquet_hold_the_same_rows_and_no_cell_is_a_formula(toy, tmp_path):
    mark = toy.mark()
    toy.awkward_folder(tmp_path / "data", mark, 5)
    run = detect_mark(tmp_path / "data", mark, toy.Blocks(), cache=False, options=RunOptions(out=tmp_path / "run"))
    with (tmp_path / "run" / "samples.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    ids = run.samples["id"].to_pylist()
    assert [row["id"] for row in rows] == [f"'{id}" if id[0] in "=+-@" else id for id in ids]
    assert "'=HYPERLINK(1).png" in [row["id"] for row in rows]
    for row, other in zip(rows, run.samples["log10_p"].to_pylist(), strict=True):
        assert (row["log10_p"] == "") == (other is None)
        assert other is None or float(row["log10_p"]) == other


class Stop(Progress):
    """Interrupts after some images."""

    def __init__(self, after):
        self.left = after

    def advance(self, samples, *, resumed=False, timers=None):
        self.left -= samples
        if self.left < 0 and samples and not resumed:
            raise KeyboardInterrupt


def test_an_interrupted_run_ends_with_the_same_bytes_and_encodes_nothing_twice(toy, tmp_path, monkeypatch):
    monkeypatch.setattr("evalkit.watermark.detection.detect.SHARDS", (16, 16, 10_000))
    mark = toy.mark()
    toy.awkward_folder(tmp_path / "data", mark, 60)
    calm = detect_mark(tmp_path / "data", mark, toy.Blocks(), cache=False, options=RunOptions(out=tmp_path / "calm"))
    tokenizer = toy.Blocks()
    for after in (10, 20, 30):
        with pytest.raises(KeyboardInterrupt):
            detect_mark(
                tmp_path / "data",
                mark,
                tokenizer,
                cache=tmp_path / "c",
                options=RunOptions(out=tmp_path / "s", progress=Stop(after)),
            )
    stormy = detect_mark(
        tmp_path / "data", mark, tokenizer, cache=tmp_path / "c", options=RunOptions(out=tmp_path / "s")
    )
    assert files(stormy.path) == files(calm.path)
    different = {row["sha256"] for row in calm.samples.to_pylist() if row["p"] is not None}
    assert tokenizer.encoded <= len(different) + 1 + calm.record["data"]["duplicates"]
    again = detect_mark(
        tmp_path / "data", mark, tokenizer, cache=tmp_path / "c", options=RunOptions(out=tmp_path / "s")
    )
    assert again.record == stormy.record


def test_another_key_over_the_same_folder_encodes_nothing_also_where_it_was_moved(toy, tmp_path):
    mark, tokenizer = toy.mark(), toy.Blocks()
    write(tmp_path / "data", **{f"p{i}": toy.saved(toy.marked(mark, i)) for i in range(6)})
    bare = [RunOptions(out=tmp_path / name, keep="none") for name in "123"]
    first = detect_mark(tmp_path / "data", mark, tokenizer, cache=tmp_path / "c", options=bare[0])
    other = toy.mark(key=bytes(32))
    second = detect_mark(tmp_path / "data", other, tokenizer, cache=tmp_path / "c", options=bare[1])
    (tmp_path / "data").rename(tmp_path / "moved")
    detect_mark(tmp_path / "moved", mark, tokenizer, cache=tmp_path / "c", options=bare[2])
    assert tokenizer.encoded == 6
    assert first.record["detection"]["counts"]["detected"] == 6
    assert second.record["detection"]["counts"]["detected"] == 0


def test_files_that_changed_since_are_read_again(toy, tmp_path):
    mark, tokenizer = toy.mark(), toy.Blocks()
    write(tmp_path / "data", a=toy.saved(toy.marked(mark, 1)), b=toy.saved(toy.marked(mark, 2)))
    detect_mark(tmp_path / "data", mark, tokenizer, cache=tmp_path / "c", options=RunOptions(out=tmp_path / "1"))
    (tmp_path / "data" / "b.png").write_bytes(toy.saved(toy.plain(3)))
    run = detect_mark(tmp_path / "data", mark, tokenizer, cache=tmp_path / "c", options=RunOptions(out=tmp_path / "2"))
    assert run.samples["verdict"].to_pylist() == ["detected", "not detected"]
    with pytest.raises(EvalkitError, match="holds another run"):
        detect_mark(tmp_path / "data", mark, tokenizer, cache=tmp_path / "c", options=RunOptions(out=tmp_path / "1"))


def test_a_file_that_changes_while_it_is_scanned_is_noticed(toy, tmp_path, monkeypatch):
    mark = toy.mark()
    write(tmp_path / "data", a=toy.saved(toy.plain(1)), b=toy.saved(toy.plain(2)))
    read = Reader.read

    def late(self, positions, tick=lambda n: None):
        (tmp_path / "data" / "b.png").write_bytes(toy.saved(toy.marked(mark, 2)))
        os.utime(tmp_path / "data" / "b.png", ns=(1, 1))
        return read(self, positions, tick)

    monkeypatch.setattr(Reader, "read", late)
    run = detect_mark(tmp_path / "data", mark, toy.Blocks(), cache=False, options=RunOptions(out=tmp_path / "run"))
    assert run.samples["warning"].to_pylist() == [None, "the file changed after the scan began"]


def test_a_file_that_never_stops_changing_is_an_error(toy, tmp_path, monkeypatch):
    write(tmp_path / "data", a=toy.saved(toy.plain(1)))
    images = open_images(tmp_path / "data")
    moments = iter(range(100))
    monkeypatch.setattr(images, "fingerprint", lambda index: str(next(moments)))
    run = detect_mark(images, toy.mark(), toy.Blocks(), cache=False, options=RunOptions(out=tmp_path / "run"))
    assert run.samples["verdict"].to_pylist() == ["error"]
    assert "changes while it is read" in run.samples["error"][0].as_py()


def test_several_keys_are_looked_for_at_once_and_their_tests_counted(toy, tmp_path):
    one, other = toy.mark(lists=2), toy.mark(lists=2, key=bytes(32))
    write(
        tmp_path / "data", a=toy.saved(toy.marked(one, 1)), b=toy.saved(toy.marked(other, 2)), c=toy.saved(toy.plain(3))
    )
    run = detect_mark(
        tmp_path / "data", Several([one, other]), toy.Blocks(), cache=False, options=RunOptions(out=tmp_path / "run")
    )
    rows = run.samples.to_pylist()
    assert [row["verdict"] for row in rows] == ["detected", "detected", "not detected"]
    assert [row["key_id"] for row in rows[:2]] == [one.key.id, other.key.id]
    assert {row["n_tests"] for row in rows} == {4}
    assert rows[0]["list_id"] == one.list_of(1)
    assert rows[1]["list_id"] == other.list_of(2)


def test_a_shifted_image_is_found_by_search_whose_tests_are_counted_for_all(toy, tmp_path):
    mark = toy.mark()
    shifted = np.roll(toy.marked(mark, 5, 64), 4, axis=1)  # half a block
    write(tmp_path / "data", a=toy.saved(shifted), b=toy.saved(toy.marked(mark, 6)))
    options = [RunOptions(out=tmp_path / name) for name in ("without", "with")]
    without = detect_mark(tmp_path / "data", mark, toy.Blocks(), rule=Rule(1e-5), cache=False, options=options[0])
    searched = detect_mark(
        tmp_path / "data", mark, toy.Blocks(), rule=Rule(1e-5), search="flip,offsets:4", cache=False, options=options[1]
    )
    assert without.samples["verdict"].to_pylist() == ["not detected", "detected"]
    assert searched.samples["verdict"].to_pylist() == ["detected", "detected"]
    assert searched.samples["transform"].to_pylist() == ["shift 4,0", ""]
    assert searched.samples["n_tests"].to_pylist() == [32, 8]  # 4 lists; half of the error for four views
    gap = searched.samples["log10_p"][1].as_py() - without.samples["log10_p"][1].as_py()
    assert gap == pytest.approx(np.log10(2))


def test_false_discovery_rate_decides_over_the_folder(toy, tmp_path):
    mark = toy.mark(lists=1, kind="independent")
    write(tmp_path / "data", **{f"m{i}": toy.saved(toy.marked(mark, i)) for i in range(3)})
    write(tmp_path / "data", **{f"p{i}": toy.saved(toy.plain(i)) for i in range(20)})
    run = detect_mark(
        tmp_path / "data",
        mark,
        toy.Blocks(),
        rule=Rule(fdr=0.01),
        cache=False,
        options=RunOptions(out=tmp_path / "run"),
    )
    verdicts = dict(zip(run.samples["id"].to_pylist(), run.samples["verdict"].to_pylist(), strict=True))
    assert {id for id, verdict in verdicts.items() if verdict == "detected"} == {"m0.png", "m1.png", "m2.png"}
    q = np.array(run.samples["q"].to_pylist())
    assert (q[:3] <= 0.01).all()
    assert (q[3:] > 0.01).all()


def test_the_public_function_reads_mark_json_and_says_what_does_not_fit(toy, tmp_path):
    mark = toy.mark()
    write(tmp_path / "data", a=toy.saved(toy.marked(mark, 1)))
    write_mark(tmp_path / "mark.json", mark)
    out = RunOptions(out=tmp_path / "run")
    run = evalkit.detect_watermark(
        tmp_path / "data", mark.key, toy.Blocks(), mark=tmp_path / "mark.json", cache=False, options=out
    )
    assert run.samples["verdict"].to_pylist() == ["detected"]
    assert mark.key.secret.hex() not in (tmp_path / "run" / "record.json").read_text()
    other = toy.mark(key=bytes(32)).key
    with pytest.raises(EvalkitError, match="made with the key"):
        detect_watermark(tmp_path / "data", other, toy.Blocks(), mark=tmp_path / "mark.json")
    with pytest.raises(EvalkitError, match="whose codes carry the mark"):
        detect_watermark(tmp_path / "data", other)
    with pytest.raises(EvalkitError, match="lies between 0 and 1"):
        detect_watermark(tmp_path / "data", other, "world-vq", alpha=0.0)
    codec = toy.Blocks()
    codec.tokens_per_image = lambda height, width: None
    with pytest.raises(EvalkitError, match="no fixed number of"):
        detect_watermark(tmp_path / "data", other, codec, mark=MarkSpec())
    with pytest.raises(EvalkitError, match="lies within the data"):
        detect_mark(tmp_path, mark, toy.Blocks(), cache=False, options=out)


def test_the_record_says_what_a_rerun_needs_and_heat_maps_follow_keep(toy, tmp_path):
    mark = toy.mark()
    write(tmp_path / "data", **{f"m{i}": toy.saved(toy.marked(mark, i)) for i in range(3)})
    write(tmp_path / "data", n0=toy.saved(toy.marked(mark, 0, 128)))
    run = detect_mark(tmp_path / "data", mark, toy.Blocks(), cache=False, options=RunOptions(out=tmp_path / "run"))
    told = run.record["detection"]
    assert told["mark"]["key_id"] == mark.key.id
    assert told["rule"] == {"alpha": 1e-3, "decide": "decoys", "fdr": None}
    assert {"samples.parquet", "samples.csv", "results.json", "report.html", "heat/index.json"} <= set(
        run.record["files"]
    )
    index = json.loads((run.path / "heat" / "index.json").read_bytes())
    assert sorted(each["id"] for each in index) == ["m0.png", "m1.png", "m2.png"]  # the copy is not shown again
    assert [(each["green"], each["red"]) for each in index] == [(64, 0)] * 3
    assert len(re.findall("data:image/png", (run.path / "report.html").read_text())) == 6
    bare = detect_mark(
        tmp_path / "data", mark, toy.Blocks(), cache=False, options=RunOptions(out=tmp_path / "bare", keep="none")
    )
    assert json.loads((bare.path / "heat" / "index.json").read_bytes()) == []
    assert pq.read_table(bare.path / "samples.parquet").equals(run.samples)


def test_a_folder_without_a_readable_image_is_a_finished_run_of_errors(toy, tmp_path):
    write(tmp_path / "data", a=b"", b=b"words")
    run = detect_mark(
        tmp_path / "data", toy.mark(), toy.Blocks(), cache=False, options=RunOptions(out=tmp_path / "run")
    )
    assert run.samples["verdict"].to_pylist() == ["error", "error"]
    share = next(row for row in run.results if row["metric"] == "detected_share")
    assert share["status"] == "unavailable"
    assert "None of 2 images could be read" in (run.path / "report.html").read_text()


def test_zip_and_npz_are_scanned_too(toy, tmp_path):
    mark, pixels = toy.mark(), [toy.marked(toy.mark(), 1), toy.plain(2)]
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for i, each in enumerate(pixels):
            archive.writestr(f"{i}.png", toy.saved(each))
    np.savez(tmp_path / "set.npz", np.stack(pixels))
    for name in ("set.zip", "set.npz"):
        run = detect_mark(
            tmp_path / name, mark, toy.Blocks(), cache=tmp_path / "c", options=RunOptions(out=tmp_path / f"run {name}")
        )
        assert run.samples["verdict"].to_pylist() == ["detected", "not detected"]


def test_a_person_is_told_of_files_that_were_not_looked_at_and_of_hopeless_rates(toy, tmp_path):
    mark = toy.mark()
    write(tmp_path / "data", **{f"p{i}": toy.saved(toy.plain(i)) for i in range(3)})
    (tmp_path / "data" / "phone.NEF").write_bytes(b"x")
    (tmp_path / "data" / "notes.txt").write_bytes(b"x")
    run = detect_mark(
        tmp_path / "data", mark, toy.Blocks(), rule=Rule(1e-30), cache=False, options=RunOptions(out=tmp_path / "run")
    )
    _, few, unread = run.record["detection"]["warnings"]
    assert "3 of 3 images have too few different codes" in few
    assert unread == "left out, not read as images: 2 files (1 .txt, 1 camera raw)"
    assert len(run.samples) == 3


def test_a_folder_is_known_again_from_another_place(toy, tmp_path, monkeypatch):
    mark, tokenizer = toy.mark(), toy.Blocks()
    write(tmp_path / "data", a=toy.saved(toy.plain(1)))
    options = [RunOptions(out=tmp_path / name, keep="none") for name in "123"]
    detect_mark(tmp_path / "data", mark, tokenizer, cache=tmp_path / "c", options=options[0])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Reader, "_decoded", lambda *_: pytest.fail("a known image was decoded"))
    detect_mark("data", mark, tokenizer, cache=tmp_path / "c", options=options[1])
    detect_mark("data/*.png", mark, tokenizer, cache=tmp_path / "c", options=options[2])


def test_a_changed_file_of_the_old_size_and_time_is_read_again(toy, tmp_path, monkeypatch):
    """An unmarked image once was called marked, with the digest of the file before."""
    monkeypatch.setenv("EVALKIT_CACHE", str(tmp_path / "hashes"))
    monkeypatch.setattr("evalkit.images.hashing.settled", lambda state: True)
    mark = toy.mark()
    before, after = (toy.saved(pixels, "BMP") for pixels in (toy.marked(mark, 1), toy.plain(2)))
    assert len(before) == len(after)
    write(tmp_path / "data", a=before)
    file = tmp_path / "data" / "a.png"
    old = file.stat().st_mtime_ns
    runs = []
    for name, data in (("1", before), ("2", after)):
        file.write_bytes(data)
        os.utime(file, ns=(old, old))
        options = RunOptions(out=tmp_path / name)
        runs.append(
            detect_mark(tmp_path / "data", mark, toy.Blocks(), rule=Rule(1e-6), cache=tmp_path / "c", options=options)
        )
    assert [run.samples["verdict"][0].as_py() for run in runs] == ["detected", "not detected"]
    assert runs[1].samples["sha256"][0].as_py() == hashlib.sha256(after).hexdigest()
    assert runs[0].record["data"]["digest"] != runs[1].record["data"]["digest"]
