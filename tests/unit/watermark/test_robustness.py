"""Embed, attack, detect: a made-up mark whose fate under attacks is known, resuming, refusals, rates."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.errors import EvalkitError
from evalkit.images.encode import png_bytes
from evalkit.images.sample import Pixels
from evalkit.tokenizers.registry import load_tokenizer
from evalkit.watermark.attacks import read_attack
from evalkit.watermark.attacks.base import PixelAttack
from evalkit.watermark.keys import Key
from evalkit.watermark.methods import MarkSpec, mark_for
from evalkit.watermark.robustness import Contender, TokenMark, watermark_robustness
from evalkit.watermark.robustness.contenders import Floats
from evalkit.watermark.robustness.page import answers
from evalkit.watermark.robustness.strengths import families
from evalkit.watermark.robustness.summary import auc, rates


class LowBit(Contender):
    """The lowest bit of every value is 1 where it is marked; any lossy attack ends it."""

    name, null = "low-bit", "nothing in particular"

    def __init__(self) -> None:
        self.calls = 0

    def record(self) -> dict[str, Any]:
        return {"name": self.name}

    def mark(self, images: Sequence[Pixels], ids: Sequence[str]) -> list[Pixels]:
        return [image | 1 for image in images]

    def log_p(self, images: Sequence[Pixels]) -> Floats:
        self.calls += len(images)
        return np.array([-100.0 if (image & 1).all() else 0.0 for image in images])


class Unable(LowBit):
    name = "unable"

    def mark(self, images: Sequence[Pixels], ids: Sequence[str]) -> list[Pixels]:
        raise EvalkitError("images are too small")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(5):
        soft = rng.integers(0, 255, (8, 8, 3)).repeat(8, 0).repeat(8, 1)
        (folder / f"{number}.png").write_bytes(png_bytes((soft & 0xFE).astype(np.uint8)))
    return folder


ATTACKS = ["png", "jpeg:90", "jpeg:50"]


def test_rows_say_what_survives_and_what_it_costs(photos: Path, tmp_path: Path) -> None:
    attacks = [read_attack(each) for each in ATTACKS]
    run = watermark_robustness(photos, [LowBit(), Unable()], attacks, tmp_path / "out", side=64)
    rows = {row["attack"]: row for row in run.rows}
    assert list(rows) == ["none", *ATTACKS]
    assert rows["png"]["tpr_1e-06"] == 1
    assert rows["png"]["auc"] == 1
    assert rows["png"]["psnr"] == 100
    assert rows["jpeg:50"]["tpr_0.01"] == 0
    assert rows["jpeg:50"]["psnr"] < rows["jpeg:90"]["psnr"] < 60
    assert all(row["fpr_0.01"] == 0 for row in run.rows)
    assert run.absent == {"unable": "images are too small"}
    assert 47 < run.embedding[0]["psnr"] < 49  # every value moved by one
    assert {row["marking_psnr"] for row in run.rows} == {run.embedding[0]["psnr"]}
    page = (tmp_path / "out" / "report.html").read_text()
    for said in ("low-bit", "jpeg:50", "images are too small", "Clopper", "<svg"):
        assert said in page
    lines = (tmp_path / "out" / "robustness.csv").read_text().splitlines()
    assert len(lines) == 1 + len(run.rows)


def test_typed_again_it_does_what_is_missing_and_gives_the_same(photos: Path, tmp_path: Path) -> None:
    first = LowBit()
    attacks = [read_attack(each) for each in ATTACKS]
    watermark_robustness(photos, [first], attacks[:1], tmp_path / "out", side=64)
    again = LowBit()
    run = watermark_robustness(photos, [again], attacks, tmp_path / "out", side=64)
    assert again.calls == 2 * 5 * 2  # two attacks more, marked and unmarked
    whole = watermark_robustness(photos, [LowBit()], attacks, tmp_path / "other", side=64)
    assert whole.rows == run.rows
    names = ("report.html", "robustness.csv", "robustness.json", "plan.json")
    assert all((tmp_path / "out" / n).read_bytes() == (tmp_path / "other" / n).read_bytes() for n in names)


def test_an_unreadable_image_and_a_failing_attack_cost_themselves_only(photos: Path, tmp_path: Path) -> None:
    (photos / "broken.png").write_bytes(b"no image")

    def fails(image: Pixels, rng: np.random.Generator) -> Pixels:
        raise ValueError("out of paper")

    run = watermark_robustness(photos, [LowBit()], [PixelAttack("shred", {}, fails)], tmp_path / "o", side=64)
    assert set(run.failed) == {"broken.png", "shred"}
    assert run.failed["shred"] == "out of paper"
    assert run.rows[0]["marked"] == 5


def test_what_does_not_fit_is_refused(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    watermark_robustness(photos, [LowBit()], [], out, side=64)
    with pytest.raises(EvalkitError, match=r"holds another run \(side 64, now 32\); give a fresh --out"):
        watermark_robustness(photos, [LowBit()], [], out, side=32)
    with pytest.raises(EvalkitError, match="lies within the data"):
        watermark_robustness(photos, [LowBit()], [], photos / "out", side=64)
    with pytest.raises(EvalkitError, match="one name"):
        watermark_robustness(photos, [LowBit(), LowBit()], [], tmp_path / "x", side=64)


def test_marked_images_may_be_given(photos: Path, tmp_path: Path) -> None:
    marked = tmp_path / "marked"
    marked.mkdir()
    for file in list(photos.iterdir())[:3]:
        (marked / file.name).write_bytes(png_bytes(np.full((64, 64, 3), 255, np.uint8)))
    run = watermark_robustness(photos, [LowBit()], [], tmp_path / "out", side=64, marked=marked)
    assert (run.rows[0]["marked"], run.rows[0]["unmarked"], run.rows[0]["tpr_0.001"]) == (3, 5, 1)
    assert run.embedding == []
    assert {row["marking_psnr"] for row in run.rows} == {None}


def test_a_token_mark_is_found_in_what_it_marked_and_not_elsewhere(tmp_path: Path) -> None:
    tokenizer = load_tokenizer("world-vq", device="cpu")
    mark = mark_for(MarkSpec("lbw", gamma=0.5), Key(bytes(32)), tokenizer)
    contender = TokenMark(mark, tokenizer, batch_size=3)
    rng = np.random.default_rng(1)
    images = [rng.integers(0, 256, (64, 64, 3), dtype=np.uint8) for _ in range(4)]
    marked = contender.mark(images, list("abcd"))
    assert [each.shape for each in marked] == [(64, 64, 3)] * 4
    assert contender.log_p(marked).mean() < contender.log_p(images).mean() - 1
    assert "secret" not in json.dumps(contender.record())
    (large,) = contender.mark([np.zeros((128, 128, 3), np.uint8)], ["e"])
    assert large.shape == (128, 128, 3)


@given(
    marked=st.lists(st.floats(-50, 0), min_size=1, max_size=12),
    plain=st.lists(st.floats(-50, 0), min_size=1, max_size=12),
)
def test_auc_is_the_share_of_pairs_in_the_right_order(marked: list[float], plain: list[float]) -> None:
    wins = np.mean([(m < p) + 0.5 * (m == p) for m in marked for p in plain])
    assert auc(np.array(marked), np.array(plain)) == pytest.approx(float(wins))


def test_rates_count_p_at_most_the_level_with_exact_intervals() -> None:
    row = rates(np.log([1e-7, 1e-3, 0.5]), np.log([0.01, 0.2]))
    assert (row["tpr_0.01"], row["tpr_1e-06"]) == (pytest.approx(2 / 3), pytest.approx(1 / 3))
    assert row["fpr_0.01"] == 0.5
    assert row["tpr_0.01_low"] < 2 / 3 < row["tpr_0.01_high"]
    assert math.isnan(rates(np.zeros(0), np.zeros(0))["auc"])


def test_families_are_attacks_of_one_kind_in_the_order_of_strength() -> None:
    rows = [
        {"attack": each} for each in ("jpeg:90", "jpeg:50", "flip", "noise:0.1", "noise:0.1:floor", "noise:0.2:floor")
    ]
    assert families(rows) == {"jpeg": ["jpeg:50", "jpeg:90"], "noise:…:floor": ["noise:0.1:floor", "noise:0.2:floor"]}


def test_the_page_answers_what_a_mark_survives_and_what_it_cost_first():
    rows = [
        {"contender": "a", "attack": attack, "tpr_0.01": share, "marked": 20}
        for attack, share in (("none", 1.0), ("jpeg:75", 0.97), ("crop:0.5", 0.5), ("blur:9", 0.0), ("odd", None))
    ]
    ((name, said),) = answers(rows, [{"contender": "a", "psnr": 31.27}], ["0.01"])
    assert name == "a"
    assert said == (
        "at FPR 0.01 found in 95 % or more of its images after 1 of 3 attacks; in 100 % before any attack; survives jpeg:75; "
        "found in 5 % or fewer after blur:9; marking cost a PSNR of 31.3 dB"
    )
