"""With any folder, a verb that reads images stays below 1.5 GB."""

import sys

import pytest

from evalkit.images.cost import MAX_PIXELS
from tests.helpers.mutated import mutated
from tests.helpers.peaks import large_images, peak_of, png_of
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
}
KINDS = ("rgb.png", "progressive.jpg", "animated.webp", "alpha.tif", "still.avif")


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
    folder = large_images(tmp_path / "large", SIDE, KINDS[:3] if verb == "pixels" else KINDS)
    (tmp_path / "large.key").write_bytes(key)
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


def _promising(png: bytes, side: int) -> bytes:
    """The file with another size in its header, whose check sum holds."""
    import zlib

    head = png[12:16] + side.to_bytes(4, "big") * 2 + png[24:29]
    return png[:12] + head + zlib.crc32(head).to_bytes(4, "big") + png[33:]
