"""Marks on images that exist: cost, rows, resumption, bad files, signed copies."""

import json
import math

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from helpers.keys import known_key
from PIL import Image

from evalkit.cli import group
from evalkit.errors import EvalkitError
from evalkit.images import open_images
from evalkit.jobs.options import RunOptions
from evalkit.jobs.progress import Progress
from evalkit.metrics.psnr import mse, psnr
from evalkit.metrics.ssim import ssim
from evalkit.tokenizers.nets.taming import TamingConfig
from evalkit.tokenizers.registry import load_tokenizer
from evalkit.tokenizers.var import Var, VarConfig
from evalkit.watermark.attacks.sizes import to_pixels, to_tensor
from evalkit.watermark.attacks.spelling import Options, read_attacks
from evalkit.watermark.embed import Nudge, embed_folder
from evalkit.watermark.embed.full_size import Frame
from evalkit.watermark.embed.nudge import nudge
from evalkit.watermark.embed.page import found_as_they_are
from evalkit.watermark.identity import prepared
from evalkit.watermark.keys import Key
from evalkit.watermark.methods import MarkSpec, mark_for, read_mark
from evalkit.watermark.methods.subject import compared
from evalkit.watermark.robustness import TokenMark

KEY = Key(bytes(range(32)))


@pytest.fixture(scope="module")
def world():
    return load_tokenizer("world-vq", device="cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Six photographs at several sizes, and two files that are none."""
    data = tmp_path_factory.mktemp("photos")
    (data / "sub").mkdir()
    for i, sample in enumerate(open_images("sample/photos").read(0, 6)):
        image = Image.fromarray(sample.image).resize((64 + 30 * i, 64), Image.Resampling.BICUBIC)
        image.save(data / ("sub/a.png" if i == 0 else f"{i}.png"))
    (data / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(9))
    (data / "empty.jpg").write_bytes(b"")
    return data


def embedded(folder, world, out, spec=None, **limits):
    mark = mark_for(spec or MarkSpec(lists=4), KEY, world)
    return embed_folder(folder, world, mark, **limits, options=RunOptions(out=out, device="cpu", batch_size=3)), mark


def rows_of(run):
    return [row for row in run.samples.to_pylist() if row["error"] is None]


def test_a_marked_folder_has_images_rows_mark_and_page(folder, world, tmp_path):
    run, mark = embedded(folder, world, tmp_path / "out")
    rows = rows_of(run)
    assert len(rows) == 6
    bad = {row["id"]: row["error"] for row in run.samples.to_pylist() if row["error"]}
    assert set(bad) == {"broken.png", "empty.jpg"}
    for row in rows:
        pixels = np.asarray(Image.open(run.path / row["file"]))
        assert pixels.shape == (64, 64, 3)
        assert row["file"] == f"images/{row['id']}"
        assert row["list_id"] == mark.list_of(row["source_sha256"])
        again = world.encode(to_tensor([pixels])).indices.numpy()
        assert row["green_read_back"] == pytest.approx(mark.colours(again[0], row["list_id"]).mean())
        assert row["log10_p"] == pytest.approx(mark.score(again).log_p[0] / math.log(10))
        assert row["green_embedded"] == 1
        assert row["exchanged"] == pytest.approx(1 - row["green_before"])
        given = prepared(np.asarray(Image.open(folder / row["id"])), world)
        plain = to_pixels(world.decode(world.encode(to_tensor([given]))))[0]
        assert row["psnr_input"] == pytest.approx(psnr(mse(pixels, given)), abs=1e-3)
        assert row["psnr_reconstruction"] == pytest.approx(psnr(mse(pixels, plain)), abs=1e-3)
        assert row["psnr_reconstruction_input"] == pytest.approx(psnr(mse(plain, given)), abs=1e-3)
        assert row["ssim_input"] == pytest.approx(ssim(pixels, given), abs=1e-4)
    assert np.mean([row["green_read_back"] for row in rows]) > np.mean([row["green_before"] for row in rows]) + 0.15
    assert read_mark(run.path).spec.lists == 4
    assert read_mark(run.path).embedding["how"] == "afterwards"
    page = (run.path / "report.html").read_text()
    assert page.count('class="strip"') == 6
    found, looked = found_as_they_are(run)
    assert 0 <= found <= looked == 6
    assert f"of which {found} are found as they are (p at most 0.001)" in page
    assert "broken.png" in page
    values = {row["metric"]: row["value"] for row in run.results}
    assert values["psnr_input"] == pytest.approx(np.mean([row["psnr_input"] for row in rows]))
    assert KEY.secret.hex() not in page + (run.path / "record.json").read_text()


def test_a_smaller_fraction_and_a_cost_limit_exchange_less_and_hurt_less(folder, world, tmp_path):
    whole, _ = embedded(folder, world, tmp_path / "whole")
    half, _ = embedded(folder, world, tmp_path / "half", fraction=0.5)
    cheap, _ = embedded(folder, world, tmp_path / "cheap", most_cost=0.05)
    for a, b, c in zip(rows_of(whole), rows_of(half), rows_of(cheap), strict=True):
        assert b["exchanged"] == pytest.approx(a["exchanged"] / 2, abs=1 / 64)
        assert c["exchanged"] < a["exchanged"]
        assert min(b["psnr_reconstruction"], c["psnr_reconstruction"]) > a["psnr_reconstruction"]


def test_an_interrupted_run_goes_on_and_ends_with_the_same_bytes(folder, world, tmp_path, monkeypatch):
    monkeypatch.setattr("evalkit.watermark.embed.posthoc.SHARD", 2)
    whole, mark = embedded(folder, world, tmp_path / "whole")

    class Stop(Progress):
        def advance(self, samples, *, resumed=False, timers=None):
            if not resumed:
                self.seen = getattr(self, "seen", 0) + samples
                if self.seen >= 4:
                    raise KeyboardInterrupt

    options = RunOptions(out=tmp_path / "again", device="cpu", batch_size=3)
    with pytest.raises(KeyboardInterrupt):
        embed_folder(folder, world, mark, options=RunOptions(**{**vars(options), "progress": Stop()}))
    assert not (tmp_path / "again" / "record.json").exists()
    again = embed_folder(folder, world, mark, options=options)
    for file in [*whole.path.glob("images/**/*.png"), whole.path / "results.json", whole.path / "mark.json"]:
        assert (again.path / file.relative_to(whole.path)).read_bytes() == file.read_bytes()
    assert again.samples.equals(whole.samples)
    with pytest.raises(EvalkitError, match="holds another run"):
        embed_folder(folder, world, mark, fraction=0.5, options=options)


def test_codes_are_exchanged_inside_the_residual_loop_of_several_scales(tmp_path):
    torch.manual_seed(0)
    net = TamingConfig(ch=32, mult=(1, 1, 1, 1, 2), blocks=1, z=8, attention=frozenset(), fused=True)
    config = VarConfig((1, 2, 3, 4), net, 24)
    tokenizer = Var("tiny-var", config, Var.build(config), torch.device("cpu"), torch.float32)
    data = tmp_path / "data"
    data.mkdir()
    side = tokenizer.native_size
    for i in range(1):
        noise = np.random.default_rng(i).integers(0, 256, (side, side, 3), dtype=np.uint8)
        Image.fromarray(noise).save(data / f"{i}.png")
    run, _ = embedded(data, tokenizer, tmp_path / "out", MarkSpec(lists=2))
    for row in rows_of(run):
        assert row["green_embedded"] == 1
        assert row["codes"] == 30
    by_pixels, _ = embedded(data, tokenizer, tmp_path / "pixels", MarkSpec(lists=2), nudge=Nudge(40, 16, 1, 30))
    for row in rows_of(by_pixels):
        assert row["green_read_back"] > row["green_before"]


def test_wrong_limits_places_and_tokenizers_are_said(folder, world, tmp_path):
    with pytest.raises(EvalkitError, match="fraction lies above 0"):
        embedded(folder, world, tmp_path / "out", fraction=0.0)
    with pytest.raises(EvalkitError, match="lies within the data"):
        embedded(folder, world, folder / "out")
    codec = load_tokenizer("jpeg-lm")
    with pytest.raises(EvalkitError, match="no fixed number of discrete codes"):
        mark_for(MarkSpec(), KEY, codec)


def run_cli(*arguments):
    return CliRunner().invoke(group, ["watermark", "embed", *map(str, arguments)])


def test_the_command_marks_lists_what_failed_and_ends_with_1(folder, tmp_path):
    known_key(tmp_path / "k")
    arguments = (
        folder,
        "--tokenizer",
        "world-vq",
        "--key",
        tmp_path / "k",
        "--out",
        tmp_path / "out",
        "--device",
        "cpu",
    )
    done = run_cli(*arguments)
    assert done.exit_code == 1, done.output
    assert "6 marked images" in done.output
    assert "size: that of each input" in done.output
    painted = run_cli(*arguments[:-3], tmp_path / "painted", "--by", "codes", "--limit", 3)
    assert "size: 64x64, the tokenizer's (--by pixels keeps that of each input)" in painted.output
    assert "broken.png" in done.output
    said = run_cli(*arguments, "--json")
    found = json.loads(said.stdout)
    assert (found["images"], found["failed"]) == (6, 2)
    assert said.exit_code == 1
    known_key(tmp_path / "other")
    wrong = run_cli(folder, "--mark", tmp_path / "out", "--key", tmp_path / "other", "--out", tmp_path / "x")
    assert isinstance(wrong.exception, EvalkitError)
    assert "was made with the key" in str(wrong.exception)


def test_the_command_generates_marked_images(tmp_path):
    known_key(tmp_path / "k")
    common = (
        "--model",
        "world-ar",
        "--prompts",
        "text:a picture of an apple",
        "--key",
        tmp_path / "k",
        "--device",
        "cpu",
    )
    done = run_cli(*common, "--delta", "inf", "--samples", 2, "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert read_mark(tmp_path / "out").embedding["delta"] == "inf"
    other = run_cli(*common, "--delta", 2, "--tokenizer", "var")
    assert "makes codes of world-vq, not of var" in str(other.exception)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "give a FOLDER of images to mark, or --model"),
        (("x", "--model", "world-ar"), "give a FOLDER of images to mark, or --model"),
        (("--model", "world-ar"), "--model needs --prompts and --delta"),
        (("x", "--delta", "2"), "--delta belongs to --model"),
        (("--model", "world-ar", "--fraction", "0.5"), "--fraction belongs to FOLDER"),
    ],
)
def test_flags_of_the_other_way_are_refused(arguments, said, tmp_path):
    known_key(tmp_path / "k")
    done = run_cli(*arguments, "--key", tmp_path / "k")
    assert done.exit_code == 2
    assert said in done.output


def test_signed_copies_lie_beside_the_images_and_say_that_they_are_marked(folder, world, tmp_path):
    pytest.importorskip("c2pa")
    from evalkit.images.c2pa import read_manifest
    from evalkit.images.credential import new_credential

    new_credential(tmp_path / "ca")
    known_key(tmp_path / "k")
    signer = ("--c2pa", tmp_path / "ca" / "signer.pem", tmp_path / "ca" / "signer.key")
    common = ("--tokenizer", "world-vq", "--key", tmp_path / "k", "--out", tmp_path / "out", "--device", "cpu")
    for _ in range(2):  # the second time everything is there
        done = run_cli(folder, *common, *signer)
        assert done.exit_code == 1, done.exception
        copies = sorted((tmp_path / "out" / "signed").rglob("*.png"))
        assert len(copies) == 6
    first = copies[0]
    manifest = read_manifest(first, anchors=(tmp_path / "ca" / "authority.pem").read_bytes())
    assert manifest.state == "trusted"
    assert manifest.actions == ("c2pa.created", "c2pa.watermarked.unbound")
    plain = tmp_path / "out" / "images" / first.relative_to(tmp_path / "out" / "signed")
    assert np.array_equal(np.asarray(Image.open(first)), np.asarray(Image.open(plain)))


def test_by_pixels_the_encoder_reads_green_codes_and_the_image_keeps_its_own_pixels(folder, world, tmp_path):
    spec, nudge = MarkSpec(lists=2), Nudge(steps=25, levels=8, spread=4, psnr=33)
    run, mark = embedded(folder, world, tmp_path / "out", spec, nudge=nudge)
    painted, _ = embedded(folder, world, tmp_path / "painted", spec)
    for row, other in zip(rows_of(run), rows_of(painted), strict=True):
        given = np.asarray(Image.open(folder / row["id"])).astype(int)
        marked = np.asarray(Image.open(run.path / row["file"])).astype(int)
        assert marked.shape == given.shape
        assert 0 < np.abs(marked - given).max() <= 9  # eight levels, and rounding
        assert row["psnr_input"] == pytest.approx(psnr(mse(marked.astype(np.uint8), given.astype(np.uint8))), abs=1e-3)
        assert row["psnr_input"] > other["psnr_input"] + 5
        assert row["list_id"] == other["list_id"] == mark.list_of(row["source_sha256"])
    assert np.mean([row["green_read_back"] for row in rows_of(run)]) > 0.8
    assert np.median([row["log10_p"] for row in rows_of(run)]) < -3
    assert read_mark(run.path).embedding["by"] == "pixels"
    assert "kept their own size and pixels" in (run.path / "report.html").read_text()


@pytest.mark.parametrize("shape", [(300, 451), (257, 128), (50, 75), (64, 64)])
def test_by_pixels_an_image_of_any_size_keeps_it_and_is_found(world, tmp_path, shape):
    """The change is made for the tokenizer's size, and what comes back from the full size is what was measured."""
    data, mark = tmp_path / "data", mark_for(MarkSpec("places"), KEY, world)
    data.mkdir()
    photo = next(iter(open_images("sample/photos").read(0, 1))).image
    given = np.asarray(Image.fromarray(photo).resize(shape[::-1], Image.Resampling.BICUBIC))
    Image.fromarray(given).save(data / "a.png")
    run = embed_folder(data, world, mark, nudge=Nudge(40, 8), options=RunOptions(out=tmp_path / "out", device="cpu"))
    (row,) = rows_of(run)
    marked = np.asarray(Image.open(run.path / row["file"]))
    assert marked.shape == given.shape
    assert (row["height"], row["width"], row["side"]) == (*shape, 64)
    assert np.abs(marked.astype(int) - given).max() <= 8
    again = world.encode(to_tensor([prepared(marked, world)])).indices.numpy()
    assert row["log10_p"] == pytest.approx(mark.score(again).log_p[0] / math.log(10))
    assert row["log10_p"] < -5
    assert row["psnr_input"] > 30


def test_what_lies_outside_the_tokenizers_square_is_left_as_it_is(world):
    wide = np.random.default_rng(0).integers(0, 256, (96, 300, 3), dtype=np.uint8)
    frame = Frame.of(wide, 64)
    changed = frame.added(wide, torch.full((3, 64, 64), 5 / 255), 8).astype(int) - wide
    assert frame.whole == (64, 200)
    assert not changed[:, :96].any()
    assert not changed[:, -96:].any()
    assert np.median(changed[:, 110:190]) == 5


def test_a_flat_image_gets_several_green_codes_by_spreading(world, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    Image.new("RGB", (64, 64), (200, 180, 150)).save(data / "flat.png")
    p = {}
    for spread in (1, 16):
        nudge = Nudge(steps=40, levels=12, spread=spread)
        run, _ = embedded(data, world, tmp_path / str(spread), MarkSpec(), nudge=nudge)
        p[spread] = rows_of(run)[0]["log10_p"]
    assert p[16] < p[1] - 1
    assert p[16] < -2


def test_places_mark_flat_images_by_few_levels(world, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    Image.new("RGB", (64, 64), (200, 180, 150)).save(data / "flat.png")
    run, mark = embedded(data, world, tmp_path / "out", MarkSpec("places"), nudge=Nudge(steps=40, levels=8))
    (row,) = rows_of(run)
    assert row["log10_p"] < -4
    assert mark.score(np.full((1, 64), 5)).log_p[0] > np.log(1e-3)


@pytest.mark.parametrize("level", [36.0, 42.0])
def test_a_mark_by_pixels_keeps_its_psnr_against_the_file_and_survives_jpeg(level, tmp_path):
    """Of a photograph at its own size: not below the level, not far above it, found after compression."""
    (sample,) = (each for each in open_images("sample/photos").read(0, 9) if "cat" in each.id)
    larger = load_tokenizer("world-vq:128", device="cpu")
    contender = TokenMark(mark_for(MarkSpec("places"), KEY, larger), larger, nudge=Nudge(psnr=level, levels=32))
    (marked,) = contender.mark([sample.image], ["a"])
    assert marked.shape == sample.image.shape
    assert level - 0.1 < psnr(mse(marked, sample.image)) < level + 1
    (jpeg,) = read_attacks(["jpeg:75"], Options())
    log_p = contender.log_p([marked, jpeg.apply(marked, 0), sample.image])
    assert (log_p[:2] < math.log(1e-9)).all()
    assert log_p[2] > math.log(1e-3)


def test_texture_takes_more_of_a_change_than_a_flat_area(world):
    rng = np.random.default_rng(0)
    half = np.full((64, 64, 3), 128, np.uint8)
    half[:, 32:] = rng.integers(88, 168, (64, 32, 3))
    green = torch.from_numpy(mark_for(MarkSpec("places"), KEY, world).green_places(0, 64))[None]
    chosen = world.encode_among(to_tensor([half]), green).values
    change = nudge(world, [half], chosen, green, Nudge(steps=20))[0]
    assert change[:, :, 36:].square().mean() > 2 * change[:, :, :28].square().mean()
    assert change.square().mean().sqrt() <= 10 ** (-40 / 20) * (1 + 1e-4)


def test_a_change_does_not_depend_on_the_images_beside_it(world):
    photos = [prepared(each.image, world) for each in open_images("sample/photos").read(0, 3)]
    green = torch.from_numpy(mark_for(MarkSpec("places"), KEY, world).green_places(0, 64))[None]
    chosen = world.encode_among(to_tensor(photos), green.expand(3, -1, -1)).values
    together = nudge(world, photos, chosen, green.expand(3, -1, -1), Nudge(steps=3))
    alone = nudge(world, photos[1:2], chosen[1:2], green, Nudge(steps=3))
    assert torch.allclose(together[1], alone[0], atol=1e-5)


def test_nudging_needs_gradients_and_sensible_numbers(tmp_path):
    for numbers in ({"steps": 0}, {"levels": 0.0}, {"spread": 0}, {"psnr": 0.0}):
        with pytest.raises(EvalkitError, match="whole numbers from 1"):
            Nudge(**numbers)
    with pytest.raises(EvalkitError, match="searches no codebook"):
        compared(load_tokenizer("jpeg-lm"))


def test_what_marked_images_do_not_hold_of_their_files_is_said(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    plain = Image.new("RGB", (64, 64), (90, 120, 60))
    plain.save(data / "a.png")
    plain.convert("RGBA").save(data / "b.png")
    plain.save(data / "c.gif", save_all=True, append_images=[Image.new("RGB", (64, 64))])
    key = known_key(tmp_path / "my.key")
    given = [
        "watermark",
        "embed",
        str(data),
        "--tokenizer",
        "world-vq",
        "--key",
        key.source,
        "--out",
        str(tmp_path / "run"),
    ]
    done = CliRunner().invoke(group, [str(each) for each in given])
    assert done.exit_code == 0, done.output
    assert "one frame: later frames of 1 image, transparency of 1 image" in done.output
    assert "later frames of 1, the transparency of 1." in (tmp_path / "run" / "report.html").read_text()
