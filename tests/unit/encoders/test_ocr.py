import time

import numpy as np
import pytest
import torch

from evalkit.encoders.base import OcrText
from evalkit.encoders.ocr.rapid import reading_order
from evalkit.encoders.registry import load_ocr
from evalkit.errors import EvalkitError
from evalkit.images import open_images
from evalkit.metrics.text import compare


@pytest.fixture(scope="module")
def engine():
    return load_ocr()


def test_posters_are_read_without_an_error(engine):
    for sample in list(open_images("sample/text-easy").read(0, 2)):
        assert compare(sample.meta["text"], engine.read(sample.image).text).char_edits == 0


def test_chinese_is_read(engine):
    sample = next(s for s in open_images("sample/text-scripts").read(0, 9) if "chinese" in s.id)
    assert compare(sample.meta["text"], engine.read(sample.image).text).cer == 0


@pytest.mark.parametrize("shape", [(1, 1), (2, 300), (64, 64)])
def test_odd_images_have_no_text_and_raise_nothing(engine, shape):
    assert isinstance(engine.read(np.zeros((*shape, 3), np.uint8)).text, str)


def test_lines_are_ordered_from_top_to_bottom_and_left_to_right():
    def box(x, y):
        return [[x, y], [x + 8, y], [x + 8, y + 4], [x, y + 4]]

    boxes = np.array([box(20, 11), box(0, 0), box(0, 10), box(20, 1)], float)
    assert reading_order(boxes) == [1, 3, 2, 0]
    assert OcrText(("a", "b"), (1.0, 1.0)).text == "a\nb"


def test_waiting_sessions_do_not_slow_torch(engine):
    engine.read(np.zeros((64, 64, 3), np.uint8))
    x = torch.rand(300, 300)
    started = time.process_time()
    time.sleep(0.5)
    assert time.process_time() - started < 0.4  # spinning threads would burn the time they wait
    assert (x @ x).shape == (300, 300)


def test_unknown_engines_are_an_error():
    with pytest.raises(EvalkitError, match="OCR engine"):
        load_ocr("tesseract")
