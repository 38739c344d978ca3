import io

import numpy as np
import pytest
import torch
from PIL import Image

from evalkit.errors import EvalkitError
from evalkit.tokenizers.codec import cut_at_restart, from_text, jpeg_tables, to_text, with_tables
from evalkit.tokenizers.registry import load_tokenizer


def smooth(side=256, seed=0):
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
    return np.asarray(small.resize((side, side), Image.Resampling.BICUBIC))


def tensor(*images):
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255


def stream_of(codes, row=0):
    values = codes.indices[row]
    return bytes(values[values >= 0].tolist())


def test_jpeg_lm_is_a_scan_with_a_restart_marker_after_every_block():
    scan = stream_of(load_tokenizer("jpeg-lm").encode(tensor(smooth())))
    assert scan[:2] == b"\xff\xd8"
    assert scan[-2:] == b"\xff\xd9"
    markers = [scan[i + 1] for i in range(len(scan) - 1) if scan[i] == 0xFF and 0xD0 <= scan[i + 1] <= 0xD7]
    assert markers == [0xD0 + i % 8 for i in range(255)]
    assert b"\xff\xdb" not in scan
    assert b"\xff\xc4" not in scan


def test_jpeg_lm_pixels_are_those_of_a_plain_file_of_its_settings():
    image = smooth()
    codes = load_tokenizer("jpeg-lm").encode(tensor(image))
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=25, subsampling="4:2:0")
    peer = np.asarray(Image.open(io.BytesIO(buffer.getvalue())))
    ours = np.asarray(Image.open(io.BytesIO(with_tables(stream_of(codes)))))
    assert np.array_equal(ours, peer)
    shown = load_tokenizer("jpeg-lm").decode(codes)[0].permute(1, 2, 0).mul(255).round().byte().numpy()
    assert np.array_equal(shown, peer)


def test_tables_are_the_same_for_every_image():
    tables = jpeg_tables(25)
    for seed in range(3):
        buffer = io.BytesIO()
        Image.fromarray(smooth(64, seed)).save(
            buffer, "JPEG", quality=25, subsampling="4:2:0", restart_marker_blocks=1, streamtype=1
        )
        assert buffer.getvalue() == tables


@pytest.mark.parametrize("name", ["jpeg-lm", "jpeg-q75", "webp-q75"])
def test_a_batch_is_padded_and_each_image_is_its_own(name):
    model = load_tokenizer(name)
    busy = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    batch = tensor(smooth(64), busy)
    codes = model.encode(batch)
    assert codes.indices.min() == -1
    assert model.image_bits(codes)[0] == 8 * len(stream_of(codes, 0)) < model.image_bits(codes)[1]
    alone = model.decode(model.encode(batch[:1]))
    assert torch.equal(model.decode(codes)[:1], alone)
    assert model.tokens_per_image(64, 64) is None


def test_quality_orders_error_and_rate():
    image = tensor(smooth(128) // 2 + np.random.default_rng(0).integers(0, 100, (128, 128, 3), dtype=np.uint8))
    errors, bits = [], []
    for quality in (10, 50, 95):
        model = load_tokenizer(f"jpeg-q{quality}")
        codes = model.encode(image)
        errors.append(float((model.decode(codes) - image).square().mean()))
        bits.append(model.image_bits(codes)[0])
    assert errors == sorted(errors, reverse=True)
    assert bits == sorted(bits)


def test_bytes_become_text_and_come_back():
    data = bytes(range(256))
    assert from_text(to_text(data)) == data
    assert from_text("junk" + to_text(b"\xff\xd8") + "\n") == b"\xff\xd8"


def test_prompts_end_at_the_nth_restart_cycle():
    scan = stream_of(load_tokenizer("jpeg-lm").encode(tensor(smooth())))
    one = cut_at_restart(scan, 1)
    assert one.endswith(b"\xff\xd7")
    assert one.count(b"\xff\xd7") == 1
    assert cut_at_restart(scan, 99) == scan


def test_codes_that_are_no_image_say_which():
    model = load_tokenizer("jpeg-q75")
    codes = model.codes(indices=torch.randint(0, 256, (1, 40)))
    with pytest.raises(EvalkitError, match="codes of image 0 are no JPEG"):
        model.decode(codes)


def test_codes_that_are_no_bytes_or_claim_a_giant_image_are_refused():
    model = load_tokenizer("jpeg-q75")
    codes = model.encode(tensor(smooth(32), smooth(32, 1))).indices
    wrong = codes.clone()
    wrong[1, 5] = 256 + 7
    with pytest.raises(EvalkitError, match="codes of image 1 are no JPEG"):
        model.decode(model.codes(indices=wrong))
    size = codes[0].tolist().index(0xC0) + 4  # rows and columns in the frame header
    wrong = codes[:1].clone()
    wrong[0, size : size + 4] = 255
    with pytest.raises(EvalkitError, match="codes of image 0 are no JPEG"):
        model.decode(model.codes(indices=wrong))


def test_a_scan_that_ends_early_is_refused():
    model = load_tokenizer("jpeg-lm")
    scan = model.encode(tensor(smooth(64))).indices
    with pytest.raises(EvalkitError, match="codes of image 0 are no JPEG"):
        model.decode(model.codes(indices=scan[:, : scan.shape[1] // 2]))


def test_images_of_two_sizes_are_not_one_batch():
    model = load_tokenizer("webp-q75")
    a, b = (model.encode(tensor(smooth(side))).indices for side in (32, 48))
    longest = max(a.shape[1], b.shape[1])
    padded = [torch.nn.functional.pad(v, (0, longest - v.shape[1]), value=-1) for v in (a, b)]
    with pytest.raises(EvalkitError, match="differ in size"):
        model.decode(model.codes(indices=torch.cat(padded)))


def test_qualities_outside_the_scale_and_odd_sides_are_errors():
    for name in ("jpeg-q0", "webp-q101"):
        with pytest.raises(EvalkitError, match="quality goes from 1 to 100"):
            load_tokenizer(name)
    with pytest.raises(EvalkitError, match="multiples of 16"):
        load_tokenizer("jpeg-lm").encode(torch.zeros(1, 3, 40, 40))
