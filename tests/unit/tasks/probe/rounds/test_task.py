"""Drift over rounds: none for equal images, seen where it happens, not inside of what an edit may change; sealed and ranked."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from evalkit.cli.probe import probe
from evalkit.errors import EvalkitError
from evalkit.jobs.options import RunOptions
from evalkit.leaderboard import make_leaderboard
from evalkit.provenance.verify import verify_run
from evalkit.tasks.probe.rounds import probe_rounds


def chains(folder, step, rounds=3, n=4, mask=False):
    for chain in range(n):
        home = folder / f"c{chain}"
        home.mkdir(parents=True)
        image = np.random.default_rng(chain).integers(40, 200, (48, 48, 3), dtype=np.uint8)
        Image.fromarray(image).save(home / "0.png")
        for k in range(1, rounds + 1):
            image = step(image.copy(), k)
            Image.fromarray(image).save(home / f"{k}.png")
            if mask:
                marked = np.zeros((48, 48), np.uint8)
                marked[:16] = 255
                Image.fromarray(marked).save(home / f"mask-{k}.png")
    return folder


def warmer(image, k):
    image[..., 0] += 5
    return image


def edited(image, k):
    image[:16] = 10 * k
    return image


def values(folder, out):
    run = probe_rounds(folder, options=RunOptions(out=out))
    return {row["metric"]: row["value"] for row in run.results}


def by_round(found, measure):
    return [found[f"drift_{measure}/{k}"] for k in (1, 2, 3)]


def test_equal_images_do_not_drift(tmp_path):
    found = values(chains(tmp_path / "a", lambda image, k: image), tmp_path / "run")
    assert by_round(found, "ssim") == pytest.approx([1, 1, 1])
    assert found["drift_warmth"] == found["drift_detail"] == 0


def test_a_cast_of_five_levels_a_round_is_its_slope(tmp_path):
    found = values(chains(tmp_path / "a", warmer), tmp_path / "run")
    assert by_round(found, "warmth") == pytest.approx([5, 10, 15])
    assert found["drift_warmth"] == pytest.approx(5)
    assert found["drift_psnr"] < 0


def test_what_an_edit_may_change_is_no_drift(tmp_path):
    free = values(chains(tmp_path / "free", edited, mask=True), tmp_path / "run-free")
    assert by_round(free, "psnr") == [100, 100, 100]
    assert by_round(values(chains(tmp_path / "all", edited), tmp_path / "run-all"), "psnr")[0] < 30


def test_where_everything_may_change_warmth_is_unavailable_and_the_rest_stays(tmp_path):
    home = chains(tmp_path / "a", warmer, n=2, rounds=1)
    for chain in home.iterdir():
        Image.new("L", (48, 48), 255).save(chain / "mask-1.png")
    run = probe_rounds(home, options=RunOptions(out=tmp_path / "run"))
    rows = {row["metric"]: row for row in run.results}
    assert rows["drift_warmth"]["status"] == "unavailable"
    assert rows["drift_detail"]["status"] == "ok"


def test_editors_of_the_same_images_are_ranked_in_pairs_and_others_apart(tmp_path):
    one = probe_rounds(chains(tmp_path / "warm", warmer, n=8), options=RunOptions(out=tmp_path / "r1"))
    other = probe_rounds(chains(tmp_path / "still", lambda i, k: i, n=8), options=RunOptions(out=tmp_path / "r2"))
    probe_rounds(chains(tmp_path / "few", warmer, n=3), options=RunOptions(out=tmp_path / "r3"))
    made = make_leaderboard([one.path, other.path, tmp_path / "r3"], tmp_path / "board")
    orders = [board.order for board in made.boards if board.terms.metric == "drift_psnr"]
    ranked = [order for order in orders if len(order.standings) == 2]
    assert [len(order.standings) for order in orders] in ([2, 1], [1, 2], [2])
    assert "paired" in ranked[0].pairing
    assert made.entrants[ranked[0].standings[0].figure.entrant].model == "still"
    assert verify_run(one.path).failures == ()


def test_a_chain_that_cannot_be_read_fails_alone_and_is_done_again(tmp_path):
    home = chains(tmp_path / "a", warmer)
    broken = home / "c1" / "2.png"
    whole = broken.read_bytes()
    broken.write_bytes(b"no image")
    args = ["rounds", str(home), "--out", str(tmp_path / "run"), "--json"]
    run = CliRunner().invoke(probe, args)
    assert run.exit_code == 1
    said = json.loads(run.output)["runs"][0]
    assert [row["n"] for row in said["results"]] == [3] * len(said["results"])
    assert {row["id"] for row in said["failed"]} == {"c1/1", "c1/2", "c1/3"}
    broken.write_bytes(whole)
    assert CliRunner().invoke(probe, [*args, "--retry-failed"]).exit_code == 0


def test_the_command_prints_slopes_and_odd_folders_are_refused(tmp_path):
    out = ["--out", str(tmp_path / "run")]
    run = CliRunner().invoke(probe, ["rounds", str(chains(tmp_path / "a", warmer)), *out])
    assert "Warmth 5" in run.output
    assert "data:image/webp" in (tmp_path / "run" / "report.html").read_text()
    chains(tmp_path / "b", warmer)
    chains(tmp_path / "b" / "c0" / "deep", warmer)
    (tmp_path / "b" / "c1" / "3.png").unlink()
    for folder, said in ((tmp_path / "b", "several lengths"), (tmp_path / "none", "no chain")):
        with pytest.raises(EvalkitError, match=said):
            probe_rounds(folder)


def test_a_folder_that_changed_under_a_begun_run_is_refused(tmp_path):
    home = chains(tmp_path / "a", warmer)
    probe_rounds(home, options=RunOptions(out=tmp_path / "run"))
    Image.new("RGB", (48, 48)).save(home / "c0" / "1.png")
    with pytest.raises(EvalkitError, match="another run"):
        probe_rounds(home, options=RunOptions(out=tmp_path / "run"))
