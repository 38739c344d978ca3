"""A reader of text in a judge's place."""

import numpy as np
import pytest

from evalkit.encoders.base import Ocr, OcrText
from evalkit.errors import EvalkitError
from evalkit.judges.prepare import Preparation
from evalkit.judges.reader import ReaderJudge
from evalkit.judges.registry import load_judge
from evalkit.judges.request import Parameters, question


class Sizes(Ocr):
    """Reads how large an image is."""

    id, weights_sha256 = "sizes", "0" * 64

    def read(self, image):
        return OcrText((f"{image.shape[0]} rows", "two"), (1.0, 1.0))


def test_the_last_image_is_read_for_any_question():
    images = [Preparation().pixels(np.zeros((side, 8, 3), np.uint8)) for side in (4, 6)]
    judge = ReaderJudge(Sizes())
    assert (judge.model, judge.snapshot) == ("sizes", "0" * 64)
    assert judge.reply(question("Which text?", *images), 0).text == "6 rows\ntwo"


def test_a_question_without_an_image_or_for_probabilities_fails():
    judge, image = ReaderJudge(Sizes()), Preparation().pixels(np.zeros((4, 8, 3), np.uint8))
    assert judge.reply(question("Which text?"), 0).kind == "error"
    assert judge.reply(question("yes?", image, parameters=Parameters(top_logprobs=5)), 0).kind == "error"


def test_an_unknown_reader_is_refused():
    with pytest.raises(EvalkitError, match="no OCR engine called 'none'"):
        load_judge("ocr:none")
