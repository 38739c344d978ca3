"""Pixel attacks: exact strengths against Pillow, torchvision and arithmetic; determinism; sizes; controls."""

import io

import numpy as np
import pytest
import torch
import torchvision.transforms.functional as TF
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageEnhance, ImageFilter, features

from evalkit.errors import EvalkitError
from evalkit.images import open_images
from evalkit.images.decode import decode_image
from evalkit.watermark.attacks.spelling import grids, read_attack, read_attacks

RANDOM = [
    "noise:0.05", "salt:0.1", "crop:0.8", "cut:0.8", "crop-area:0.6", "erase:0.1", "erase:0.1:noise",
    "rotate-random:-30:30", "gaussian:5:random", "jitter-random:0.4:0.4:0.4:0.1", "jitter:0.3", "waves:all:0.4",
]  # fmt: skip
STILL = [
    "jpeg:50", "webp:50", "resize:0.5", "scale:0.5", "blur:2", "gaussian:7", "gaussian:5:1.5", "median:3", "rotate:9", "flip",
    "flip:vertical", "shift:3", "roll:3:-2", "plus:2", "brightness:1.5", "contrast:0.5", "saturation:2", "hue:0.1",
    "gamma:0.8", "grey", "sharpness:3", "levels:8", "overlay", "overlay:logo", "overlay:stamp:0.3", "frame:0.1",
    "crop:0.8:corner", "crop:0.8:centre", "resize-px:1",
]  # fmt: skip


@pytest.fixture(scope="module")
def photo():
    first = next(iter(open_images("sample/photos").read(0, 1)))
    return np.asarray(Image.fromarray(first.image).resize((80, 64), Image.Resampling.BICUBIC))


def apply(spelling, image, seed=0):
    return read_attack(spelling).apply(image, seed)


@pytest.mark.parametrize("name", [*RANDOM, *STILL])
def test_the_same_seed_gives_the_same_image(name, photo):
    before = photo.copy()
    first = apply(name, photo, 2)
    assert np.array_equal(first, apply(name, photo, 2))
    assert np.array_equal(photo, before)  # the input is left alone
    assert first.dtype == np.uint8
    assert not np.array_equal(first, photo)


@pytest.mark.parametrize("name", RANDOM)
def test_random_attacks_are_not_the_same_whatever_the_seed(name, photo):
    assert len({apply(name, photo, seed).tobytes() for seed in range(12)}) > 1


@pytest.mark.parametrize("name", STILL)
def test_attacks_without_chance_do_not_look_at_the_seed(name, photo):
    assert np.array_equal(apply(name, photo, 0), apply(name, photo, 1))


@pytest.mark.parametrize(
    "name", sorted({m for g in ("controls", "quick", "waves", "wmar", "bitmark") for m in grids()[g]})
)
def test_attacks_whose_rule_is_kept_keep_the_size(name):
    attack = read_attack(name)
    image = np.random.default_rng(0).integers(0, 256, (40, 56, 3), dtype=np.uint8)
    assert attack.size == "kept"
    assert attack.apply(image, 1).shape == image.shape


def test_attacks_that_change_the_size_say_so(photo):
    for name, shape in (("scale:0.5", (32, 40, 3)), ("cut:0.75", (48, 60, 3))):
        attack = read_attack(name)
        assert attack.size != "kept"
        assert attack.apply(photo).shape == shape


@settings(deadline=None, max_examples=30)
@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3))))
def test_controls_that_must_change_nothing_change_nothing(image):
    for name in ("png", "8bit", "blur:0", "rotate:0", "crop:1", "crop:1:corner", "shift:0", "plus:0", "noise:0", "scale:1",
                 "brightness:1", "contrast:1", "saturation:1", "erase:0", "salt:0", "resize:1", "gaussian:1", "levels:256",
                 "resize-px:0", "flip+flip", "gamma:1", "frame:0", "overlay:text:0"):  # fmt: skip
        assert np.array_equal(apply(name, image, 1), image), name


def test_quality_is_pillows_quality(photo):
    for codec in ("jpeg", "webp", *(["avif"] if features.check("avif") else [])):
        for quality in (30, 90):
            attack = read_attack(f"{codec}:{quality}")
            (file,) = attack.files([photo], [0])
            buffer = io.BytesIO()
            Image.fromarray(photo).save(buffer, format=codec.upper(), quality=quality)
            assert np.array_equal(decode_image(file.data), np.asarray(Image.open(buffer).convert("RGB")))
            assert np.array_equal(decode_image(file.data), attack.apply(photo))
            assert file.suffix == {"jpeg": ".jpg"}.get(codec, f".{codec}")
    assert len(read_attack("jpeg:90").files([photo], [0])[0].data) > len(
        read_attack("jpeg:30").files([photo], [0])[0].data
    )


def test_chroma_is_halved_unless_told_otherwise(photo):
    sampling = {"420": 2, "422": 1, "444": 0}
    for word, number in sampling.items():
        buffer = io.BytesIO()
        Image.fromarray(photo).save(buffer, format="JPEG", quality=80, subsampling=number)
        assert np.array_equal(apply(f"jpeg:80:{word}", photo), np.asarray(Image.open(buffer)))
    assert np.array_equal(apply("jpeg:80", photo), apply("jpeg:80:420", photo))


def test_a_codec_that_pillow_lacks_or_a_size_it_refuses_is_said(photo, monkeypatch):
    with pytest.raises(EvalkitError, match="cannot write this image"):
        apply("webp:50", np.zeros((1, 17000, 3), np.uint8))
    monkeypatch.setattr(features, "check", lambda name: False)
    with pytest.raises(EvalkitError, match="built without avif"):
        read_attack("avif:50")


def test_files_of_pixel_attacks_are_png_with_the_same_pixels(photo):
    attack = read_attack("noise:0.1")
    (file,) = attack.files([photo], [7])
    assert file.suffix == ".png"
    assert np.array_equal(decode_image(file.data), attack.apply(photo, 7))
    chain = read_attack("noise:0.1+jpeg:60")
    (file,) = chain.files([photo], [7])
    assert file.suffix == ".jpg"
    assert np.array_equal(decode_image(file.data), chain.apply(photo, 7))


def test_light_and_colour_are_pillows_enhancers(photo):
    for name, kind in (("brightness", "Brightness"), ("contrast", "Contrast"), ("saturation", "Color")):
        for factor in (0.0, 0.5, 1.6):
            peer = getattr(ImageEnhance, kind)(Image.fromarray(photo)).enhance(factor)
            assert np.array_equal(apply(f"{name}:{factor}", photo), np.asarray(peer))
    assert np.array_equal(apply("hue:0.2", photo), np.asarray(TF.adjust_hue(Image.fromarray(photo), 0.2)))
    assert np.array_equal(apply("brightness:0", photo), np.zeros_like(photo))


def test_jitter_uses_bitmarks_factors_in_some_order(photo):
    # at 0.2 every factor is 1 and only the hue moves, by a tenth of the circle; at 0 the image is black
    assert np.array_equal(apply("jitter:0.2", photo, 4), apply("hue:0.1", photo))
    assert not apply("jitter:0", photo, 4).any()
    steps = {0: "brightness:1.5", 1: "contrast:1.5", 2: "saturation:1.5", 3: "hue:0.15"}
    order = np.random.default_rng(9).permutation(4)
    assert np.array_equal(apply("jitter:0.3", photo, 9), apply("+".join(steps[int(i)] for i in order), photo))


def test_blur_radius_is_pillows_and_kernels_are_torchvisions(photo):
    for radius in (1, 2.5, 4):
        peer = Image.fromarray(photo).filter(ImageFilter.GaussianBlur(radius))
        assert np.array_equal(apply(f"blur:{radius}", photo), np.asarray(peer))
    x = torch.from_numpy(photo.transpose(2, 0, 1).copy())
    for kernel in (3, 7, 19):  # torchvision's own sigma where none is given
        assert np.array_equal(
            apply(f"gaussian:{kernel}", photo), TF.gaussian_blur(x, kernel).numpy().transpose(1, 2, 0)
        )
    drawn = float(np.random.default_rng(3).uniform(0.1, 2.0))
    peer = TF.gaussian_blur(x, 7, drawn).numpy().transpose(1, 2, 0)
    assert np.array_equal(apply("gaussian:7:random", photo, 3), peer)
    for wrong in ("gaussian:5:0", "gaussian:5:wide", "gaussian:199", "median:4"):
        with pytest.raises(EvalkitError, match=r"sigma|odd"):
            apply(wrong, photo)


def test_noise_has_the_stated_spread_and_floor_darkens_by_half_a_level():
    grey = np.full((256, 256, 3), 128, np.uint8)
    noisy = apply("noise:0.05", grey, 1).astype(float) - 128
    assert noisy.std() == pytest.approx(0.05 * 255, rel=0.02)
    assert abs(noisy.mean()) < 0.1
    cut = apply("noise:0.05:floor", grey, 1).astype(float) - 128
    assert cut.mean() == pytest.approx(noisy.mean() - 0.5, abs=0.02)
    share = (apply("salt:0.1", grey, 1) != 128).all(-1).mean()
    assert share == pytest.approx(0.1, abs=0.01)


def test_turns_are_torchvisions(photo):
    for degrees in (9, -20, 45):
        peer = TF.rotate(Image.fromarray(photo), degrees)
        assert np.array_equal(apply(f"rotate:{degrees}", photo), np.asarray(peer))
    smooth = TF.rotate(Image.fromarray(photo), 9, interpolation=TF.InterpolationMode.BILINEAR)
    assert np.array_equal(apply("rotate:9:bilinear", photo), np.asarray(smooth))
    angle = float(np.random.default_rng(2).uniform(-30, 30))
    assert np.array_equal(apply("rotate-random:-30:30", photo, 2), np.asarray(TF.rotate(Image.fromarray(photo), angle)))
    with pytest.raises(EvalkitError, match="lower one first"):
        apply("rotate-random:30:-30", photo)


def test_a_crop_is_a_window_enlarged_back(photo):
    window = photo[: int(0.75 * 64), : int(0.75 * 80)]
    peer = Image.fromarray(window).resize((80, 64), Image.Resampling.BILINEAR)
    assert np.array_equal(apply("crop:0.75:corner", photo), np.asarray(peer))
    centre = apply("cut:0.5:centre", photo)
    assert np.array_equal(centre, photo[16:48, 20:60])
    assert apply("cut:0.7", np.zeros((10, 10, 3), np.uint8)).shape == (7, 7, 3)  # 0.7 * 10 is 6.999… in floats


def test_random_windows_reach_every_corner(photo):
    found = {apply("cut:0.9", photo, seed).tobytes() for seed in range(800)}
    assert len(found) > 65  # of 8 * 9 places
    rows = {(h, w) for h in (0, 7) for w in (0, 8)}  # 64 - 57 and 80 - 72 pixels of room
    corners = {photo[h : h + 57, w : w + 72].tobytes() for h, w in rows}
    assert corners <= found


def test_areas_are_squares_of_the_stated_share():
    white = np.full((64, 64, 3), 255, np.uint8)
    for area in (0.05, 0.1, 0.25):
        side = round((area * 64 * 64) ** 0.5)
        assert (apply(f"erase:{area}", white, 1) == 0).all(-1).sum() == side**2
    assert (apply("erase:0.25:grey", white, 1) == 128).all(-1).sum() == 32**2
    flat = np.full((10, 100, 3), 255, np.uint8)  # a square of a quarter of it is 16 px high and does not fit
    assert np.array_equal(apply("erase:0.25", flat), flat)
    ramp = np.repeat(np.arange(64, dtype=np.uint8)[None, :, None], 64, 0).repeat(3, 2)
    shown = apply("crop-area:0.25", ramp, 1)
    assert int(shown.max()) - int(shown.min()) == 31  # 32 columns of the ramp
    wide = apply("crop-area:1", np.repeat(ramp, 2, 1)[:32])
    assert wide.shape == (32, 128, 3)


def test_shifts_move_whole_pixels_and_repeat_the_edge(photo):
    moved = apply("shift:3:1", photo)
    assert np.array_equal(moved[1:, 3:], photo[:-1, :-3])
    assert np.array_equal(moved[1:, 0], photo[:-1, 0])
    back = apply("shift:-3:-1", photo)
    assert np.array_equal(back[:-1, :-3], photo[1:, 3:])


def test_rolls_lose_no_pixel(photo):
    assert np.array_equal(apply("roll:3:1", photo), np.roll(photo, (1, 3), (0, 1)))
    assert np.array_equal(apply("roll:-3:-1", apply("roll:3:1", photo)), photo)


def test_plus_is_in_levels_and_saturates():
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, 2)
    assert np.array_equal(apply("plus:2", ramp), np.minimum(ramp.astype(int) + 2, 255))
    assert np.array_equal(apply("plus:-2", ramp), np.maximum(ramp.astype(int) - 2, 0))
    assert len(np.unique(apply("levels:4", ramp))) == 4
    assert np.array_equal(apply("gamma:2", ramp), np.floor(255 * (ramp / 255.0) ** 2 + 0.5))


def test_resizing_goes_down_and_back_by_the_named_filter(photo):
    for word, kind in (("bicubic", Image.Resampling.BICUBIC), ("lanczos", Image.Resampling.LANCZOS)):
        peer = Image.fromarray(photo).resize((40, 32), kind).resize((80, 64), kind)
        assert np.array_equal(apply(f"resize:0.5:{word}", photo), np.asarray(peer))
    assert np.array_equal(
        apply("resize-px:1", photo),
        np.asarray(Image.fromarray(photo).resize((81, 65), 3).resize((80, 64), 3)),
    )
    with pytest.raises(EvalkitError, match="16384 on a side"):
        apply("scale:8", np.zeros((4, 3000, 3), np.uint8))


def test_overlays_touch_only_what_they_cover(photo):
    caption = apply("overlay:text", photo)
    assert np.array_equal(caption[:50], photo[:50])  # the band is a fifth of 64 px high
    assert (caption[-4:, :4] == 0).all()
    logo = apply("overlay:logo", photo)
    assert np.array_equal(logo[:40], photo[:40])
    assert not np.array_equal(logo[40:, 50:], photo[40:, 50:])
    half, full = (apply(f"overlay:logo:{opacity}", photo).astype(int) for opacity in (0.5, 1))
    assert np.abs(2 * half - photo - full).max() <= 1
    stamped = apply("overlay:stamp:0.4", photo)
    quarters = [
        (stamped[r, c] != photo[r, c]).mean() for r in (slice(32), slice(32, 64)) for c in (slice(40), slice(40, 80))
    ]
    assert min(quarters) > 0.02
    framed = apply("frame:0.25", photo)
    assert (framed[:16] == 24).all()
    assert np.array_equal(framed[16:48, 20:60], np.asarray(Image.fromarray(photo).resize((40, 32), 3)))


def test_tiny_images_survive_every_attack_or_are_refused_in_a_sentence():
    dot = np.full((1, 1, 3), 200, np.uint8)
    for attack in read_attacks(["controls", "quick", "waves", "wmar", "bitmark"]):
        kernels = [step.split(":")[1] for step in attack.name.split("+") if step.startswith("gaussian:")]
        if set(kernels) - {"1"}:
            with pytest.raises(EvalkitError, match="kernel must be odd"):
                attack.apply(dot, 1)
        else:
            assert attack.apply(dot, 1).shape == dot.shape
