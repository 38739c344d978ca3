"""Run folders as a generation and a tokenizer evaluation leave them, made without any model."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image


@pytest.fixture
def make_run(tmp_path):
    """make_run(name, rows, images=…) → folder of a sealed run"""

    def make(name, rows, *, images=None, record=None, place=None):
        folder = (place or tmp_path / "runs") / name
        folder.mkdir(parents=True)
        pq.write_table(pa.Table.from_pylist(rows), folder / "samples.parquet")
        (folder / "results.json").write_text("[]")
        if images is not None:
            (folder / "images").mkdir()
            (folder / "images" / "index.json").write_text(json.dumps(images))
        said = {"evalkit": "0.1.0", "created": "2026-11-23T10:00:00Z", "model": {"name": name}, "protocols": []}
        (folder / "record.json").write_text(json.dumps({**said, "data": {"name": "colours"}, **(record or {})}))
        return folder

    return make


@pytest.fixture
def draw():
    """draw(path) writes a small image there"""

    def drawn(path, seed=0, side=16):
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
        return path

    return drawn
