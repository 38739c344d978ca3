"""Looking for a mark in one 256 px image: evalkit's token mark beside invisible-watermark's methods, in turn.

evalkit encodes the image with a tokenizer (llamagen-vq16, random weights; speed is the same) and gives a p-value. The
peers transform pixels and give 32 bits without a test, so they do less; both figures are of one image on a CPU.
invisible-watermark is MIT; its package is needed for this script only:

    pip install --no-deps invisible-watermark PyWavelets

python benchmarks/speed/marks.py [--repeats 9]
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import in_turn, summary, write
from imwatermark import WatermarkDecoder

from evalkit.tokenizers.registry import TOKENIZERS, load_tokenizer
from evalkit.watermark.keys import Key
from evalkit.watermark.lists import Scheme, make_pool
from evalkit.watermark.score import score_codes

METHODS, BITS, SIDE = ("dwtDct", "dwtDctSvd"), 32, 256


def ours(folder: Path) -> Callable[[], Any]:
    """Encode, and count codes of the list."""
    entry: Any = TOKENIZERS.get("llamagen-vq16")
    torch.manual_seed(0)
    torch.save({entry.cls.wrapping[0]: entry.cls.build(entry.config).state_dict()}, folder / "random.pt")
    model = load_tokenizer("llamagen-vq16", folder / "random.pt", "cpu")
    pool = make_pool(Key(bytes(32)), "speed", model.vocab_size or 0, Scheme(0.5, 1, "independent"))
    image = torch.rand(1, 3, SIDE, SIDE)
    return lambda: score_codes(model.encode(image).values.numpy().astype(np.uint16), pool)


def theirs(method: str) -> Callable[[], Any]:
    """The bits that the method reads out of the pixels."""
    decoder = WatermarkDecoder("bits", BITS)
    image = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    return lambda: decoder.decode(image, method)


def main() -> None:
    """Measure, and write results/marks.csv."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=9)
    repeats = parser.parse_args().repeats
    with tempfile.TemporaryDirectory() as folder:
        peers = {f"invisible-watermark {method}": theirs(method) for method in METHODS}
        seconds = in_turn({"evalkit": ours(Path(folder)), **peers}, repeats)
    write("marks", [{"work": f"look for a mark in a {SIDE} px image", **row} for row in summary(seconds, "evalkit")])


if __name__ == "__main__":
    main()
