"""A robustness run as a sealed run: resuming, more attacks, results, verification, and what a spec can be opened with."""

import json
import pickle
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from evalkit.errors import EvalkitError
from evalkit.images.encode import png_bytes
from evalkit.jobs.checks import How
from evalkit.jobs.spec import DataRef, Spec
from evalkit.provenance.verify import Depth, verify_run
from evalkit.runs.shards import MemoryParts
from evalkit.runs.store import Run, read_run
from evalkit.watermark.attacks import read_attack
from evalkit.watermark.attacks.base import PixelAttack
from evalkit.watermark.robustness import Contender, run, watermark_robustness
from evalkit.watermark.robustness.opening import opened_contenders
from evalkit.watermark.robustness.task import ROBUSTNESS

IMAGES = 5


class LowBit(Contender):
    """The lowest bit of every value is 1 where it is marked; counts what it is asked for."""

    name, null = "low-bit", "nothing in particular"

    def __init__(self) -> None:
        self.marked, self.tested = 0, 0

    def record(self):
        return {"name": self.name}

    def mark(self, images, ids):
        self.marked += len(images)
        return [image | 1 for image in images]

    def log_p(self, images):
        self.tested += len(images)
        return np.array([-100.0 if (image & 1).all() else 0.0 for image in images])


class Small(LowBit):
    """Cannot mark one of the images."""

    name = "small"

    def mark(self, images, ids):
        if "4.png" in ids:
            raise EvalkitError("4.png is too small")
        return super().mark(images, ids)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(IMAGES):
        soft = rng.integers(0, 255, (8, 8, 3)).repeat(8, 0).repeat(8, 1)
        (folder / f"{number}.png").write_bytes(png_bytes((soft & 0xFE).astype(np.uint8)))
    return folder


def attacks(*names):
    return [read_attack(name) for name in names]


def failing(reason="out of paper"):
    def fails(image, rng):
        raise ValueError(reason)

    return PixelAttack("shred", {}, fails)


def files(folder, *names):
    return {name: (folder / name).read_bytes() for name in names}


RESULTS = ("results.json", "robustness.json", "robustness.csv", "samples.parquet", "report.html", "plan.json")


def test_a_run_that_was_killed_goes_on_where_it_stopped_and_gives_the_same_bytes(photos, tmp_path, monkeypatch):
    monkeypatch.setattr(run, "SIZE", 2)
    wanted = attacks("png", "jpeg:90")
    watermark_robustness(photos, [LowBit()], wanted, tmp_path / "whole", side=64)

    class Killed(LowBit):
        def log_p(self, images):
            if self.tested >= 14:
                raise KeyboardInterrupt
            return super().log_p(images)

    killed, rest = Killed(), LowBit()
    with pytest.raises(KeyboardInterrupt):
        watermark_robustness(photos, [killed], wanted, tmp_path / "cut", side=64)
    watermark_robustness(photos, [rest], wanted, tmp_path / "cut", side=64)
    assert rest.tested < 2 * IMAGES * 3
    assert files(tmp_path / "cut", *RESULTS) == files(tmp_path / "whole", *RESULTS)
    photos = sorted(path.name for path in (tmp_path / "cut/pictures/low-bit").iterdir())
    assert photos == [f"{number:05d}.png" for number in range(IMAGES)]


def test_images_are_marked_once_for_all_attacks_without_a_network(photos, tmp_path):
    contender = LowBit()
    watermark_robustness(photos, [contender], attacks("png", "jpeg:90", "jpeg:50"), tmp_path / "out", side=64)
    assert contender.marked == IMAGES


def test_a_sealed_run_is_read_back_and_only_new_attacks_are_done(photos, tmp_path):
    out = tmp_path / "out"
    watermark_robustness(photos, [LowBit()], attacks("png", "jpeg:90"), out, side=64)
    before = files(out, *RESULTS, "record.json")
    again = LowBit()
    watermark_robustness(photos, [again], attacks("png"), out, side=64)
    assert (again.tested, again.marked) == (0, 0)
    assert files(out, *RESULTS, "record.json") == before
    found = watermark_robustness(photos, [again], attacks("jpeg:50"), out, side=64)
    assert again.tested == 2 * IMAGES
    assert [row["attack"] for row in found.rows] == ["none", "png", "jpeg:90", "jpeg:50"]
    assert verify_run(out).failures == ()


def test_an_image_that_was_removed_is_made_again_with_the_next_attack(photos, tmp_path):
    out = tmp_path / "out"
    watermark_robustness(photos, [LowBit()], [], out, side=64)
    lost = out / "pictures/low-bit/00002.png"
    kept = lost.read_bytes()
    lost.unlink()
    watermark_robustness(photos, [LowBit()], attacks("png"), out, side=64)
    assert lost.read_bytes() == kept


def test_an_attack_that_failed_is_tried_again_and_forgotten_when_it_is_not_wanted(photos, tmp_path):
    out = tmp_path / "out"
    first = watermark_robustness(photos, [LowBit()], [failing(), *attacks("png")], out, side=64)
    assert first.failed == {"shred": "out of paper"}
    assert [row["attack"] for row in first.rows] == ["none", "png"]
    assert watermark_robustness(photos, [LowBit()], [failing("no paper")], out, side=64).failed == {"shred": "no paper"}
    last = watermark_robustness(photos, [LowBit()], attacks("png"), out, side=64)
    assert (last.failed, [row["attack"] for row in last.rows]) == ({}, ["none", "png"])


def test_an_attack_without_its_weights_costs_itself_only_and_is_done_when_they_are_there(photos, tmp_path):
    class Unplanned(PixelAttack):
        def record(self):
            raise EvalkitError("its weights are not here")

    out, again = tmp_path / "out", LowBit()
    lost = Unplanned("png", {}, lambda image, rng: image)
    first = watermark_robustness(photos, [LowBit()], [lost, *attacks("jpeg:90")], out, side=64)
    assert first.failed == {"png": "its weights are not here"}
    assert [row["attack"] for row in first.rows] == ["none", "jpeg:90"]
    assert verify_run(out).failures == ()
    assert watermark_robustness(photos, [again], attacks("jpeg:90"), out, side=64).failed == {}
    assert again.tested == 0
    found = watermark_robustness(photos, [again], attacks("png"), out, side=64)
    assert [row["attack"] for row in found.rows] == ["none", "jpeg:90", "png"]


def test_who_was_absent_is_what_the_last_call_said(photos, tmp_path):
    for absent in ({}, {"rivaGan": "not installed"}, {}):
        found = watermark_robustness(photos, [LowBit()], [], tmp_path / "out", side=64, absent=absent)
        assert found.absent == absent == json.loads((tmp_path / "out/robustness.json").read_bytes())["absent"]


def test_other_levels_need_no_image_to_be_tested_again(photos, tmp_path):
    out, again = tmp_path / "out", LowBit()
    watermark_robustness(photos, [LowBit()], [], out, side=64)
    found = watermark_robustness(photos, [again], [], out, side=64, levels=(0.5,))
    assert found.rows[0]["tpr_0.5"] == 1
    assert again.tested == 0


def test_a_contender_that_cannot_mark_one_image_is_absent_with_any_split_into_blocks(photos, tmp_path, monkeypatch):
    found = []
    for size in (1, 2, 32):
        monkeypatch.setattr(run, "SIZE", size)
        out = tmp_path / f"by-{size}"
        made = watermark_robustness(photos, [LowBit(), Small()], attacks("jpeg:90"), out, side=64)
        assert made.absent == {"small": "4.png is too small"}
        assert {row["contender"] for row in made.rows} == {"low-bit"}
        found.append(files(out, "results.json", "robustness.json", "robustness.csv"))
    assert found[0] == found[1] == found[2]


def test_attacks_with_networks_come_after_all_others():
    said = [{"network": network} for network in (True, False)]
    spec = Spec(ROBUSTNESS.name, 1, inputs={"data": DataRef("photos", 5, "ab")}, parameters={"attacks": said}, shard=3)
    order = [(shard.start // 5, shard.start % 5, shard.size) for shard in ROBUSTNESS.shards(spec)]
    assert order == [(0, 0, 3), (2, 0, 3), (0, 3, 2), (2, 3, 2), (1, 0, 3), (1, 3, 2)]


def test_results_hold_rates_with_exact_intervals_and_counts_that_are_never_ranked(photos, tmp_path):
    (photos / "broken.png").write_bytes(b"no image")
    watermark_robustness(photos, [LowBit()], attacks("jpeg:50"), tmp_path / "out", side=64)
    sealed = read_run(tmp_path / "out")
    name = "photos[64 px]/low-bit"
    said = {(row["dataset"], row["metric"]): row for row in sealed.results}
    found = said[name, "tpr_0.001"]
    assert (found["value"], found["high"], found["n"], found["better"]) == (1, 1, IMAGES, "higher")
    assert found["low"] == pytest.approx(0.025 ** (1 / IMAGES))  # Clopper-Pearson with all found
    assert said[f"{name}/jpeg:50", "tpr_0.001"]["value"] == 0
    assert said[name, "auc"]["value"] == 1
    assert 47 < said[name, "psnr_input"]["value"] < 49
    count = said["photos[64 px]", "images_failed"]
    assert (count["value"], count["better"]) == (1, "none")
    broken = [row for row in sealed.samples.to_pylist() if row["error"]]
    assert [(row["id"], row["contender"]) for row in broken] == [("broken.png", None)]


def test_where_no_marked_image_can_be_read_rates_are_unavailable(photos, tmp_path):
    marked = tmp_path / "marked"
    marked.mkdir()
    (marked / "broken.png").write_bytes(b"no image")
    found = watermark_robustness(photos, [LowBit()], [], tmp_path / "out", side=64, marked=marked)
    assert (found.rows[0]["tpr_0.01"], found.rows[0]["auc"]) == (None, None)
    row = next(row for row in read_run(tmp_path / "out").results if row["metric"] == "auc")
    assert (row["status"], row["value"]) == ("unavailable", None)
    assert verify_run(tmp_path / "out").failures == ()


def test_nothing_is_left_behind_where_no_image_can_be_read(tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "x.png").write_bytes(b"no image")
    with pytest.raises(EvalkitError, match="no readable image"):
        watermark_robustness(empty, [LowBit()], [], tmp_path / "out", side=64)
    assert not (tmp_path / "out").exists()


def test_kept_images_attacked_again_give_their_rows_and_a_changed_row_is_found(photos, tmp_path):
    out = tmp_path / "out"
    watermark_robustness(photos, [LowBit()], attacks("jpeg:50", "noise:0.1"), out, side=64)
    checks, sealed = ROBUSTNESS.checks(), read_run(out)
    steps = {step.level: step for step in verify_run(out, Depth(rescore=100)).steps}
    assert (steps[3].status, steps[4].status) == ("passed", "passed")
    assert (
        "20 kept images" in steps[4].detail
    )  # the images as they are, under two attacks, and against the unmarked ones
    psnr = pa.array([None if value is None else value + 0.1 for value in sealed.samples["psnr"].to_pylist()])
    at = sealed.samples.schema.get_field_index("psnr")
    changed = Run(out, sealed.record, sealed.results, sealed.samples.set_column(at, "psnr", psnr), [])
    assert len(checks.rescore(changed, 100, How(device="cpu")).failures) == 20
    assert checks.recompute(changed, How(device="cpu")).failures


def test_the_aggregation_needs_rows_plan_and_record_alone(photos, tmp_path):
    out = tmp_path / "out"
    watermark_robustness(photos, [LowBit()], attacks("png"), out, side=64, absent={"rivaGan": "not installed"})
    sealed = read_run(out)
    rows = [sealed.samples.slice(at, 3) for at in range(0, sealed.samples.num_rows, 3)]
    again = ROBUSTNESS.aggregate(ROBUSTNESS.spec(sealed), Pieces(rows, sealed.record))
    assert again.files["robustness.json"] == (out / "robustness.json").read_bytes()
    assert json.loads(again.files["robustness.json"])["absent"] == {"rivaGan": "not installed"}


class Pieces(MemoryParts):
    def __init__(self, tables, record):
        super().__init__(pa.table({}), {}, record)
        self.pieces = tables

    def tables(self):
        return iter(self.pieces)


def test_an_object_of_another_process_cannot_be_opened(photos, tmp_path):
    mine = LowBit()
    heard = []

    class Heard(type(ROBUSTNESS)):
        def open(self, spec, device):
            heard.append(spec)
            return super().open(spec, device)

    patch = pytest.MonkeyPatch()
    patch.setattr(run, "ROBUSTNESS", Heard())
    try:
        watermark_robustness(photos, [mine], [], tmp_path / "out", side=64)
    finally:
        patch.undo()
    spec = pickle.loads(pickle.dumps(heard[0]))
    assert opened_contenders(spec, "cpu")["low-bit"] is mine
    del mine
    with pytest.raises(EvalkitError, match="another process"):
        opened_contenders(spec, "cpu")


def test_a_contender_may_not_take_the_folder_of_the_unmarked_images(photos, tmp_path):
    other = LowBit()
    other.name = "unmarked"
    with pytest.raises(EvalkitError, match="one name"):
        watermark_robustness(photos, [other], [], tmp_path / "out", side=64)
