import io

import numpy as np
import pytest
from PIL import Image

from evalkit.errors import EvalkitError
from evalkit.judges.prepare import Preparation, mime_of
from evalkit.judges.request import Parameters, question

IMAGE = np.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=np.uint8)


def opened(part):
    return Image.open(io.BytesIO(part.data))


def test_png_keeps_every_pixel():
    part = Preparation().pixels(IMAGE)
    assert part.mime == "image/png"
    assert np.array_equal(np.asarray(opened(part)), IMAGE)


@pytest.mark.parametrize(("side", "size"), [(150, (150, 100)), (300, (300, 200)), (999, (300, 200)), (1, (1, 1))])
def test_longer_sides_are_bounded_and_never_grown(side, size):
    assert opened(Preparation(max_side=side, format="JPEG").pixels(IMAGE)).size == size


def test_an_edit_takes_the_size_of_its_source_first():
    assert opened(Preparation(max_side=100).pixels(IMAGE, size=(400, 200))).size == (50, 100)


@pytest.mark.parametrize(
    ("format", "mime"), [("PNG", "image/png"), ("JPEG", "image/jpeg"), ("WEBP", "image/webp"), ("GIF", "image/gif")]
)
def test_a_stored_file_goes_as_it_is_under_its_true_type(format, mime):
    buffer = io.BytesIO()
    Image.fromarray(IMAGE).save(buffer, format)
    part = Preparation(format="stored").file(buffer.getvalue())
    assert (part.data, part.mime) == (buffer.getvalue(), mime)


def test_other_files_and_stored_pixels_are_refused():
    with pytest.raises(EvalkitError, match="PNG"):
        mime_of(b"BM....")
    with pytest.raises(EvalkitError, match="no stored file"):
        Preparation(format="stored").pixels(IMAGE)


def test_the_described_request_holds_no_bytes_of_an_image():
    part = Preparation().pixels(IMAGE)
    told = str(question("?", part).described())
    assert part.sha256 in told
    assert len(told) < 1000


@pytest.mark.parametrize(
    "odd", [{"schema": {}, "top_logprobs": 2}, {"max_tokens": 0}, {"temperature": 3}, {"temperature": float("nan")}]
)
def test_parameters_that_no_endpoint_takes_are_refused(odd):
    with pytest.raises(EvalkitError):
        Parameters(**odd)
