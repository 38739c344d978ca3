"""Every sentence that a board says of why a number is or is not ranked, from runs of the public functions."""

import json
import re
import shutil

import datasets
import numpy as np
import pytest
from PIL import Image

import evalkit
from evalkit.images.hub import HubSet
from evalkit.jobs.options import RunOptions
from evalkit.leaderboard import LeaderboardOptions, make_leaderboard
from evalkit.leaderboard.imports import import_results

from ...helpers.resealed import resealed
from .conftest import Runs

SIDE, N = 48, 6


def evaluated(name, data, out, **options):
    chosen = RunOptions(out=out, keep="none", device="cpu", **options)
    return evalkit.evaluate_tokenizer(name, data, tasks=["reconstruction"], options=chosen)[0].path


def changed(path, target, change):
    """A copy of a run whose record says something else, as a run of another evalkit would."""
    shutil.copytree(path, target)
    record = json.loads((target / "record.json").read_bytes())
    change(record)
    (target / "record.json").write_text(json.dumps(record))
    return resealed(target)


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """Runs of codecs on six images, on some of them, on others, and under other rules."""
    place = tmp_path_factory.mktemp("real")
    rng, photos, renamed, flat = np.random.default_rng(0), place / "photos", place / "renamed", place / "flat"
    for folder in (photos, renamed, flat):
        folder.mkdir()
    grid = np.linspace(0, 4, SIDE)
    for i in range(N):
        wave = np.sin(grid[:, None] * (i + 1)) * np.cos(grid[None] * (i + 2))
        pixels = 128 + 90 * wave[..., None] + rng.normal(0, 10, (SIDE, SIDE, 3))
        Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(photos / f"{i}.png")
        shutil.copy(photos / f"{i}.png", renamed / f"other-{(5 * i + 2) % N}.png")
        Image.new("RGB", (SIDE, SIDE), (128, 128, 128)).save(flat / f"{i}.png")
    few = shutil.copytree(photos, place / "few")
    (few / "0.png").unlink()
    Image.new("RGB", (SIDE, SIDE), (9, 9, 9)).save(few / "9.png")
    runs = {
        "a": evaluated("jpeg-q75", photos, place / "runs" / "a"),
        "b": evaluated("jpeg-q50", photos, place / "runs" / "b"),
        "limited": evaluated("jpeg-q90", photos, place / "runs" / "limited", limit=4),
        "renamed": evaluated("webp-q75", renamed, place / "runs" / "renamed"),
        "few": evaluated("webp-q50", few, place / "runs" / "few"),
        "flat": evaluated("jpeg-q75", flat, place / "runs" / "flat"),
    }
    rows = [{"bytes": file.read_bytes(), "path": None} for file in sorted(photos.iterdir(), reverse=True)]
    rows = datasets.Dataset.from_dict({"image": rows}, features=datasets.Features({"image": datasets.Image()}))
    hub = HubSet("hf:a/b/test", lambda *_: rows.to_iterable_dataset())
    runs["hub"] = evaluated("webp-q90", hub, place / "runs" / "hub")
    rules = place / "runs" / "rules"
    runs["rules"] = changed(runs["b"], rules, lambda record: record["protocols"][0].update(sha256="0" * 64))
    return runs


def page(tmp_path, *paths, **options):
    made = make_leaderboard(list(paths), tmp_path / "board", LeaderboardOptions(metrics=("psnr",), **options))
    text = re.sub(r"<[^>]+>", "", made.path.read_text(encoding="utf-8"))
    return made, " ".join(text.replace("\u202f", " ").split())


def missing(made, name="psnr"):
    return {
        made.entrants[each.entrant].name: each.reason
        for board in made.boards[:1]
        for each in board.missing
        if board.terms.metric == name
    }


def test_the_first_is_first_and_says_so(real, tmp_path):
    made, text = page(tmp_path, real["a"], real["b"])
    assert "jpeg-q75 is first at 95 % confidence, with" in text
    assert "First at 95 % confidence, of 1 board that systems share: jpeg-q75 on 1." in text
    assert made.boards[0].order.standings[0].worst == 1


def test_a_system_alone_is_alone(real, tmp_path):
    assert "jpeg-q75 is alone here, with" in page(tmp_path, real["a"])[1]


def test_a_folder_a_renamed_copy_and_a_hub_set_in_another_order_are_ranked_together(real, tmp_path):
    made, text = page(tmp_path, real["a"], real["renamed"], real["hub"])
    assert [len(board.entrants) for board in made.boards] == [3]
    assert made.apart == ()
    assert made.boards[0].order.pairing == "paired by sample"
    assert "not ranked together" not in text


def test_a_limited_run_is_said_to_be_of_a_part_and_meets_the_others_with_common(real, tmp_path):
    made, text = page(tmp_path, real["a"], real["b"], real["limited"])
    assert missing(made) == {
        "jpeg-q90": "measured on 4 of these 6 samples; --common ranks it on the samples that all have"
    }
    assert "4 samples are in both, so --common ranks them there" in text
    made, text = page(tmp_path, real["a"], real["b"], real["limited"], common=True)
    assert [(len(board.entrants), board.terms.n, board.common) for board in made.boards] == [(3, 4, (4, 6))]
    assert "Ranked on the 4 samples that all systems here have; they measured 4 to 6." in text
    assert "--common" not in text


def test_a_longer_run_is_said_to_have_all_and_more(real, tmp_path):
    second = changed(real["limited"], tmp_path / "second", lambda record: record["model"].update(name="second"))
    made, _ = page(tmp_path, real["limited"], second, real["a"])
    assert missing(made)["jpeg-q75"].startswith("measured on all of these 4 and 2 more")


def test_other_images_that_overlap_are_counted(real, tmp_path):
    made, _ = page(tmp_path, real["a"], real["b"], real["few"])
    assert missing(made) == {
        "webp-q50": "measured on 6 samples, of which 5 are among these 6; --common ranks it on the samples that all have"
    }


def test_a_failed_image_is_named_and_excludes_nobody_with_common(real, tmp_path):
    broken = changed_rows(real["b"], tmp_path / "broken", lost=2)
    made, _ = page(tmp_path, real["a"], real["renamed"], broken)
    assert missing(made)["jpeg-q50"].startswith("1 sample of these 6 failed in it (2.png); --common")
    made, _ = page(tmp_path, real["a"], real["renamed"], broken, common=True)
    assert [(len(board.entrants), board.terms.n) for board in made.boards] == [(3, 5)]


def changed_rows(path, target, lost):
    """A copy of a run in which one image failed."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    shutil.copytree(path, target)
    table = pq.read_table(target / "samples.parquet")
    bad = np.arange(table.num_rows) == lost
    psnr = table["psnr"].to_numpy().copy()
    psnr[bad] = np.nan
    for name, column in (
        ("psnr", pa.array(psnr, mask=bad)),
        ("error", pa.array(np.where(bad, "broken", ""), mask=~bad)),
    ):
        table = table.set_column(table.schema.get_field_index(name), name, column)
    pq.write_table(table, target / "samples.parquet")
    results = json.loads((target / "results.json").read_bytes())
    for row in results:
        if row["metric"] == "psnr":
            row |= {"value": float(np.nanmean(psnr)), "n": table.num_rows - 1}
    (target / "results.json").write_text(json.dumps([row for row in results if row["metric"] == "psnr"]))
    return resealed(target)


def test_other_rules_under_one_name_are_other_rules(real, tmp_path):
    made, text = page(tmp_path, real["a"], real["renamed"], real["rules"])
    assert missing(made)["jpeg-q50"].startswith("measured under other rules of evalkit-1 (sha256 000000000000, here ")
    assert "rules of the protocol (sha256)" in text


def test_an_infinite_value_is_ranked_and_says_why_it_is_not_separated(real, tmp_path):
    other = changed(real["flat"], tmp_path / "other", lambda record: record["model"].update(name="copy"))
    made, text = page(tmp_path, real["flat"], other)
    assert [len(board.entrants) for board in made.boards] == [2]
    assert "has an infinite value (6 of 6 images come back exactly), so no interval separates it from another" in text


def test_an_infinite_value_decides_nothing_about_what_is_compared(runs, noise):
    values = noise(2)
    values[5] = np.inf
    a = runs.run("a", noise(1))
    b = runs.run("b", values, results=[runs.result("psnr", "inf", 60)])
    assert [len(board.entrants) for board in runs.boards(a, b).boards] == [2]


def test_counts_are_said_to_be_never_ranked(real, tmp_path):
    made = Runs(tmp_path / "runs")
    paths = [
        made.bare(name, [made.result("psnr", 1.0, 2), made.result("images_made", 2.0, 2, better="higher")])
        for name in "ab"
    ]
    board = make_leaderboard(paths, tmp_path / "board")
    assert "images_made: of a count no value is better than another, so none is ranked" in board.path.read_text()
    assert json.loads((tmp_path / "board" / "leaderboard.json").read_bytes())["never_ranked"] == ["images_made"]


def test_imported_results_stand_hollow_and_are_not_ranked(real, tmp_path):
    said = {"evaluation_name": "PSNR", "source_data": {"dataset_name": "COCO"}, "score_details": {"score": 99.0}}
    said |= {"metric_config": {"lower_is_better": False}}
    record = {"schema_version": "0.3.0", "evaluation_id": "1", "model_info": {"name": "theirs"}}
    record |= {"source_metadata": {"source_organization_name": "A lab"}, "evaluation_results": [said]}
    (tmp_path / "record.json").write_text(json.dumps(record))
    theirs = import_results(tmp_path / "record.json", out=tmp_path / "imported").path
    made, text = page(tmp_path, real["a"], theirs)
    assert [each.name for each in made.entrants] == ["jpeg-q75"]
    assert [(each.name, each.value, each.entrant) for each in made.reported[0] if each.name == "theirs"] == [
        ("theirs", 99.0, None)
    ]
    assert "imported, not measured here; here evalkit-1, 6 of photos" in text
    assert "Imported, not measured here" in text


OTHERWISE = [
    ({"row": {"protocol": "clean"}, "protocol": "clean"}, "measured under another protocol, clean (here evalkit-1)"),
    (
        {"record": {"encoders": {"lpips-vgg": "1" * 64}}},
        "measured with other weights of evaluator networks (lpips-vgg 111111111111; here not stated)",
    ),
    ({"ids": [f"t{i}" for i in range(60)]}, "measured on other images (digest dddddddddddd, here dddddddddddd)"),
]


@pytest.mark.parametrize(("change", "reason"), OTHERWISE)
def test_what_was_measured_otherwise_is_never_called_unmeasured(runs, noise, change, reason):
    def both(name, seed, **more):
        lpips, psnr = noise(seed) / 50, noise(seed)
        rows = [runs.result("lpips_vgg", float(lpips.mean()), 60, better="lower", **more.pop("row", {}))]
        rows.append(runs.result("psnr", float(psnr.mean()), 60))
        columns = {"psnr": psnr, **({"protocol": [None] * 60} if "protocol" in more else {})}
        return runs.run(name, lpips, "lpips_vgg", results=rows, columns=columns, **more)

    paths = [both("a", 1), both("b", 2), both("c", 3, **change)]
    found = runs.boards(*paths)
    board = next(each for each in found.boards if each.terms.metric == "lpips_vgg")
    assert len(board.entrants) == 2
    assert [each.reason[: len(reason)] for each in board.missing] == [reason]


def test_a_distance_to_another_reference_or_of_another_n_says_which(runs):
    def scored(name, n, digest):
        row = runs.result("fid", 3.0, n, low=2.0, high=4.0, task="score", dataset="ref")
        psnr = runs.result("kid", 3.0, n, low=2.0, high=4.0, task="score", dataset="ref")
        return runs.bare(name, [row, psnr], record={"reference": {"digest": digest}, "data": {"digest": name}})

    a, b = scored("a", 50, "r" * 64), scored("b", 50, "r" * 64)
    fewer = scored("fewer", 20, "r" * 64)
    found = runs.boards(a, b, fewer)
    assert [each.reason for each in found.boards[0].missing] == [
        "measured with n = 20 (here 50); the number of a whole set cannot be taken on a part, so give both one n"
    ]
    other = scored("other", 50, "s" * 64)
    (apart,) = runs.boards(a, b, other).apart
    assert [what for what, _, _ in apart.differs] == ["digest of the data"]


def test_numbers_without_intervals_have_no_certain_order(runs, tmp_path):
    paths = [runs.bare(name, [runs.result("psnr", value, 2)]) for name, value in (("a", 1.0), ("b", 2.0))]
    assert "no order is certain, since no interval can be stated" in page(tmp_path, *paths)[1]


def test_systems_that_are_level_cannot_be_separated(runs, noise, tmp_path):
    paths = [runs.run(name, noise(seed)) for name, seed in (("a", 1), ("b", 2))]
    assert "cannot be separated at 95 % confidence" in page(tmp_path, *paths)[1]
