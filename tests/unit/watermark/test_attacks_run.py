"""Attacks on folders: files, manifest, resuming, bad inputs, seeds by id."""

import json
import unicodedata

import numpy as np
import pytest
from PIL import Image

from evalkit.errors import EvalkitError
from evalkit.images.decode import decode_image
from evalkit.jobs.progress import Progress
from evalkit.runs.durable import write_bytes
from evalkit.watermark.attacks.base import PixelAttack, seed_of
from evalkit.watermark.attacks.names import file_stems
from evalkit.watermark.attacks.run import attack_folder
from evalkit.watermark.attacks.spelling import read_attack, read_attacks


def photo(seed, h=24, w=32):
    return np.random.default_rng(seed).integers(0, 256, (h, w, 3), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path):
    data = tmp_path / "marked"
    (data / "deep").mkdir(parents=True)
    for number, name in enumerate(("a.png", "b.png", "deep/c.png", "deep/d.png")):
        Image.fromarray(photo(number)).save(data / name)
    return data


def snapshot(out):
    return {p.relative_to(out).as_posix(): p.read_bytes() for p in sorted(out.rglob("*")) if p.is_file()}


class Counted(Progress):
    def __init__(self):
        self.done, self.resumed = 0, 0

    def advance(self, samples, *, resumed=False, timers=None):
        if resumed:
            self.resumed += samples
        else:
            self.done += samples


def test_every_image_under_every_attack_and_a_row_for_each(folder, tmp_path):
    out = tmp_path / "out"
    run = attack_folder(folder, read_attacks(["png", "jpeg:60", "noise:0.1"]), out, seed=4)
    assert not run.failed
    assert len(run.rows) == 12
    rows = [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]
    assert rows == run.rows
    assert [row["attack"] for row in rows[:4]] == ["png"] * 4
    by = {(row["attack"], row["id"]): row for row in rows}
    row = by["noise:0.1", "deep/c.png"]
    assert row["path"] == "noise-0.1/deep/c.png"
    assert row["seed"] == seed_of(4, "deep/c.png")
    image = decode_image((out / row["path"]).read_bytes())
    assert np.array_equal(image, read_attack("noise:0.1").apply(photo(2), row["seed"]))
    assert row["changed"] is True
    assert row["psnr"] == pytest.approx(20.5, abs=1.5)
    assert by["jpeg:60", "a.png"]["path"] == "jpeg-60/a.jpg"
    assert (out / "jpeg-60/a.jpg").read_bytes()[:2] == b"\xff\xd8"
    assert by["png", "b.png"]["changed"] is False
    assert by["png", "b.png"]["psnr"] is None
    record = json.loads((out / "noise-0.1/attack.json").read_text())
    assert record["parameters"] == {"sigma": 0.1, "rounding": "nearest"}
    assert record["seed"] == 4


def test_a_second_run_does_nothing_and_leaves_every_byte(folder, tmp_path):
    out, told = tmp_path / "out", Counted()
    attacks = read_attacks(["crop:0.7", "webp:40"])
    attack_folder(folder, attacks, out)
    before = snapshot(out)
    attack_folder(folder, attacks, out, progress=told)
    assert snapshot(out) == before
    assert (told.resumed, told.done) == (0, 0)


class Stop(Progress):
    """Ends the run at its third step."""

    def __init__(self):
        self.steps = 0

    def advance(self, samples, *, resumed=False, timers=None):
        self.steps += not resumed
        if self.steps == 3:
            raise KeyboardInterrupt


def test_a_run_that_was_stopped_goes_on_and_ends_with_the_same_bytes(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("evalkit.watermark.attacks.run.BLOCK", 2)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    attacks = read_attacks(["noise:0.1", "jpeg:50"])
    attack_folder(folder, attacks, whole)
    with pytest.raises(KeyboardInterrupt):
        attack_folder(folder, attacks, cut, progress=Stop())
    told = Counted()
    attack_folder(folder, attacks, cut, progress=told)
    assert (told.resumed, told.done) == (4, 4)
    mine, other = snapshot(cut), snapshot(whole)
    assert {k: v for k, v in mine.items() if k != "record.json"} == {
        k: v for k, v in other.items() if k != "record.json"
    }


def test_a_file_that_is_gone_is_made_again(folder, tmp_path):
    out, attacks = tmp_path / "out", read_attacks(["noise:0.1", "jpeg:50"])
    attack_folder(folder, attacks, out)
    before = (out / "jpeg-50" / "b.jpg").read_bytes()
    (out / "jpeg-50" / "b.jpg").unlink()
    told = Counted()
    attack_folder(folder, attacks, out, progress=told)
    assert (told.resumed, told.done) == (4, 4)
    assert (out / "jpeg-50" / "b.jpg").read_bytes() == before


def test_a_changed_source_is_attacked_again(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("evalkit.watermark.attacks.run.BLOCK", 1)
    out, attacks, told = tmp_path / "out", read_attacks(["plus:2"]), Counted()
    attack_folder(folder, attacks, out)
    Image.fromarray(photo(9, 30, 30)).save(folder / "b.png")
    run = attack_folder(folder, attacks, out, progress=told)
    assert told.done == 1
    assert [row["width"] for row in run.rows] == [32, 30, 32, 32]


def test_bad_images_are_rows_with_a_reason_and_are_tried_again(folder, tmp_path):
    (folder / "cut.png").write_bytes((folder / "a.png").read_bytes()[:200])
    (folder / "empty.jpg").write_bytes(b"")
    Image.fromarray(photo(0, 1, 1)).save(folder / "dot.png")
    out = tmp_path / "out"
    run = attack_folder(folder, read_attacks(["gaussian:5", "plus:1"]), out)
    failed = {(row["attack"], row["id"]): row["error"] for row in run.failed}
    assert set(failed) == {(a, i) for a in ("gaussian:5", "plus:1") for i in ("cut.png", "empty.jpg")} | {
        ("gaussian:5", "dot.png")
    }
    assert "empty" in failed["plus:1", "empty.jpg"]
    assert "kernel must be odd" in failed["gaussian:5", "dot.png"]
    assert len(run.rows) == 14
    assert sum(row["error"] is None for row in run.rows) == 9
    (folder / "empty.jpg").write_bytes((folder / "a.png").read_bytes())
    assert len(attack_folder(folder, read_attacks(["gaussian:5", "plus:1"]), out).failed) == 3


def test_a_image_does_not_depend_on_the_others_nor_on_batches_and_threads(folder, tmp_path):
    attacks = read_attacks(["noise:0.2", "crop:0.6"])
    attack_folder(folder, attacks, tmp_path / "all", threads=3)
    attack_folder(folder, attacks, tmp_path / "few", limit=2, threads=1, batch=1)
    few = snapshot(tmp_path / "few")
    everything = snapshot(tmp_path / "all")
    images = [name for name in few if name.endswith(".png")]
    assert len(images) == 4
    assert all(few[name] == everything[name] for name in images)
    attack_folder(folder, attacks, tmp_path / "other", limit=2, seed=1)
    assert snapshot(tmp_path / "other")[images[0]] != few[images[0]]


def test_another_seed_in_the_same_folder_is_refused(folder, tmp_path):
    attack_folder(folder, read_attacks(["noise:0.2"]), tmp_path / "out")
    with pytest.raises(EvalkitError, match=r"another seed; give a fresh --out"):
        attack_folder(folder, read_attacks(["noise:0.2"]), tmp_path / "out", seed=1)
    more = attack_folder(folder, read_attacks(["plus:1"]), tmp_path / "out")  # another attack is welcome
    assert [row["attack"] for row in more.rows] == ["plus:1"] * 4
    kept = [json.loads(line) for line in (tmp_path / "out" / "manifest.jsonl").read_text().splitlines()]
    assert [row["attack"] for row in kept] == ["noise:0.2"] * 4 + ["plus:1"] * 4


def test_out_within_the_data_is_refused(folder):
    for out in (folder, folder / "attacked"):
        with pytest.raises(EvalkitError, match="lies within the data"):
            attack_folder(folder, read_attacks(["png"]), out)


def test_memory_holds_one_batch_of_images(tmp_path):
    data = tmp_path / "many.npz"
    np.savez(data, np.stack([photo(i, 8, 8) for i in range(70)]))
    most = []

    class Watched(PixelAttack):
        def files(self, images, seeds):
            most.append(len(images))
            return super().files(images, seeds)

    plain = read_attack("plus:1")
    run = attack_folder(data, [Watched(plain.name, plain.parameters, plain.change)], tmp_path / "out")
    assert len(run.rows) == 70
    assert max(most) == 1
    assert run.rows[3]["path"] == "plus-1/00000003.png"


def test_file_names_are_safe_and_differ():
    names = file_stems(
        ["x/a.png", "x/a.jpg", "../../up.png", "C:\\b.png", "1.5", "n\\xff.png", "n_xff.png", "n_xff.PNG"]
    )
    assert names["x/a.png"] == "x/a.png"
    assert names["../../up.png"] == "up"
    assert names["1.5"] == "1.5"
    values = [name.lower() for name in names.values()]
    assert len(set(values)) == len(values)
    assert all(".." not in name and "\\" not in name and ":" not in name for name in values)


def test_any_names_of_images_become_files_beside_each_other(tmp_path):
    ids = ["x" * 251 + ".png", "x" * 250 + "y.png", "é" * 125 + ".png", "a" * 60_000 + ".png", "d/" * 1500 + "e.png"]
    ids += [
        "p.png",
        "p.png/q.png",
        "p_png/q.png",
        "P.PNG/r/s.jpg",
        "e\u0301.png",
        "\u00e9.png",
        "..",
        "/",
        "\x1b\n.png",
    ]
    names = file_stems(ids)
    assert len({unicodedata.normalize("NFC", name).lower() for name in names.values()}) == len(ids)
    for name in names.values():
        write_bytes(tmp_path / f"{name}.png", b"")  # whose unfinished name is allowed to be no longer
    assert len(list(tmp_path.rglob("*.png"))) == len(ids)
