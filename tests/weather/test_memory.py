"""With any folder, a verb that reads images stays below 1.5 GB."""

import os
import sys

import pytest

from evalkit.images.cost import MAX_PIXELS
from evalkit.watermark.service.engine import MOST_PIXELS
from evalkit.world.prompts import world_prompts
from tests.helpers.mutated import mutated
from tests.helpers.peaks import large_images, peak_of, peak_of_script, png_of
from tests.helpers.verbs import MARK

MOST = 1500  # megabytes of 10^6
SIDE = int(MAX_PIXELS**0.5)
MUTATED = 520
VERBS = {
    "score": lambda folder, out: [
        *("score", "--images", folder, "--reference", folder, "--device", "cpu", "--out", out, "--no-cache"),
        *("--metrics", "fd_efflite0,kid_efflite0,prdc_efflite0,vendi_efflite0"),
    ],
    "tokenizer": lambda folder, out: ["tokenizer", "-m", "jpeg-lm", "--data", folder, "--device", "cpu", "--out", out],
    "network": lambda folder, out: ["tokenizer", "-m", "world-vq", "--data", folder, "--device", "cpu", "--out", out],
    "detect": lambda folder, out: ["watermark", "detect", folder, *_key(folder), "--no-cache", "--out", out],
    "embed": lambda folder, out: ["watermark", "embed", folder, "--by", "codes", *_key(folder), "--out", out],
    "pixels": lambda folder, out: ["watermark", "embed", folder, "--by", "pixels", *_key(folder), "--out", out],
    "attack": lambda folder, out: ["watermark", "attack", folder, "--attack", "jpeg:75", "--out", out],
    "calibrate": lambda folder, out: [
        "watermark",
        "calibrate",
        folder,
        *_key(folder),
        "--no-cache",
        "--out",
        f"{out}.npz",
    ],
    "robustness": lambda folder, out: [
        *("watermark", "robustness", folder, *_key(folder), "--attack", "jpeg:75", "--out", out),
    ],
    "audit": lambda folder, out: [
        *("watermark", "audit", folder, "--key-ring", f"{folder}.ring", "--no-cache", "--device", "cpu", "--out", out),
        *("--alpha", "0.999999", "--edit", "jpeg:75", "--images", "4"),  # so that some are found, and edited
    ],
}
KINDS = ("rgb.png", "progressive.jpg", "animated.webp", "alpha.tif", "still.avif")
READ = ("rgb.png", "alpha.tif", "still.avif")  # the others take more bytes a pixel than files of their size may


def _key(folder):
    return ["--key", f"{folder}.key", *MARK]


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    path = tmp_path_factory.mktemp("keys") / "my.key"
    peak_of(["watermark", "keygen", str(path)])
    return path.read_bytes()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="peaks are read in /proc")
@pytest.mark.parametrize("verb", VERBS)
def test_images_at_the_limit_of_pixels_stay_below_the_bound(verb, tmp_path, key):
    side = int(MOST_PIXELS**0.5) if verb == "audit" else SIDE
    folder = large_images(tmp_path / "large", side, READ if verb == "pixels" else KINDS)
    (tmp_path / "large.key").write_bytes(key)
    if verb == "audit":
        peak_of(["watermark", "ring", "add", f"{folder}.ring", "--id", "a", *_key(folder)[:-2]])
    assert peak_of(VERBS[verb](str(folder), str(tmp_path / "run"))) < MOST


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="peaks are read in /proc")
@pytest.mark.parametrize("verb", ["score", "tokenizer", "detect", "attack"])
def test_a_folder_of_mutated_images_stays_below_the_bound(verb, tmp_path, key):
    """Some of them are bombs: headers that promise more pixels than the file holds, and files at the limit."""
    folder = large_images(tmp_path / "bad", SIDE, KINDS)
    (tmp_path / "bad.key").write_bytes(key)
    seeds = [path.read_bytes() for path in sorted(large_images(tmp_path / "seeds", 96).iterdir())]
    for number in range(MUTATED):
        data = mutated(seeds[number % len(seeds)], number)
        (folder / f"{number:04d}.{'png' if number % 2 else 'jpg'}").write_bytes(data)
    (folder / "bomb.png").write_bytes(_promising(png_of(64), 65_000))
    assert peak_of(VERBS[verb](str(folder), str(tmp_path / "run"))) < MOST


JUDGED = """
import sys
from pathlib import Path
from helpers.judged import ScriptedJudge, small_data, small_images
from evalkit.jobs.options import RunOptions
from evalkit.tasks.probe import probe
from evalkit.tasks.probe.judged import items
from evalkit.tasks.probe.judged.options import JudgeOptions
items._check_files = lambda said, folder: None
place, large = Path(sys.argv[1]), Path(sys.argv[2])
data = small_data("wise", place / "data")
images = small_images("wise", data, place / "images")
for path in [each for each in images.rglob("*") if each.is_file()]:  # all of one size, as suites want them
    path.unlink()
    path.hardlink_to(large)
options = RunOptions(out=place / "run", device="cpu")
judge = JudgeOptions(judge=ScriptedJudge("x"), data=data, replies=place / "replies.jsonl", tries=2)
run = probe("wise", images, judge=judge, options=options)
if run.samples.num_rows < 3:
    raise SystemExit("nothing was judged")
"""
FOLDERS = """
import sys
from pathlib import Path
from helpers.erased import images, written
from evalkit.erasure.check import Look, check_folders
from evalkit.erasure.check.items import items_of
from evalkit.erasure.pairs.pair import read_pairs
from evalkit.jobs.options import RunOptions
place, large = Path(sys.argv[1]), Path(sys.argv[2])
items = items_of(read_pairs(written(place)), "dog", None)
for name in ("before", "after"):
    for path in sorted(images(place / name, items).iterdir())[:3]:
        path.unlink()
        path.hardlink_to(large)
options = RunOptions(out=place / "run", device="cpu")
look = Look("world", distances=False)
run = check_folders(place / "before", place / "after", place / "dog.jsonl", "dog", look=look, options=options)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="peaks are read in /proc")
@pytest.mark.parametrize("script", [JUDGED, FOLDERS], ids=["judged suite", "erasure check"])
def test_images_at_the_limit_among_others_stay_below_the_bound(script, tmp_path):
    large = large_images(tmp_path / "large", SIDE, ["rgb.png"]) / "rgb.png"
    assert peak_of_script(script, [str(tmp_path), str(large)]) < MOST


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="peaks are read in /proc")
def test_generated_and_probed_images_at_the_limit_stay_below_the_bound(tmp_path):
    large = large_images(tmp_path / "large", SIDE, ["rgb.png"]) / "rgb.png"
    (tmp_path / "made").mkdir()
    for prompt in world_prompts()[:3]:
        os.link(large, tmp_path / "made" / f"{prompt.id}-00.png")
    images = str(tmp_path / "images")
    made = ["generate", "-m", f"folder:{tmp_path}/made", "-p", "world", "--limit", "3", "--out", images]
    assert peak_of(made) < MOST
    probed = ["probe", "world", "--images", images, "--limit", "3", "--device", "cpu", "--out", str(tmp_path / "run")]
    assert peak_of(probed) < MOST


@pytest.mark.skipif(sys.platform != "linux", reason="peaks are read in /proc")
def test_a_codec_run_without_networks_stays_below_500_mb(tmp_path):
    (tmp_path / "data").mkdir()
    for number in range(4):
        (tmp_path / "data" / f"{number}.png").write_bytes(png_of(256 + 8 * number))
    run = ["tokenizer", "-m", "jpeg-lm", "--data", str(tmp_path / "data"), "--out", str(tmp_path / "run")]
    assert peak_of([*run, "--device", "cpu", "--tasks", "reconstruction,codes"]) < 500


def _promising(png: bytes, side: int) -> bytes:
    """The file with another size in its header, whose check sum holds."""
    import zlib

    head = png[12:16] + side.to_bytes(4, "big") * 2 + png[24:29]
    return png[:12] + head + zlib.crc32(head).to_bytes(4, "big") + png[33:]
