"""What a refused folder is told: which option, model, or file of the data differs, and its name."""

import numpy as np
import pytest
from PIL import Image

import evalkit
from evalkit.errors import EvalkitError
from evalkit.jobs.options import RunOptions
from evalkit.runs.store import RunStore


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(3):
        noise = np.random.default_rng(i).integers(0, 255, (32, 32, 3), np.uint8)
        Image.fromarray(noise).save(folder / f"{i}.png")
    return folder


def evaluated(photos, model="jpeg-q75", **more):
    options = RunOptions(out=photos.parent / "run", keep="none", device="cpu", **more)
    return evalkit.evaluate_tokenizer(model, photos, tasks=["reconstruction"], options=options)


def said(*given, **more):
    with pytest.raises(EvalkitError, match="holds another run") as caught:
        evaluated(*given, **more)
    return str(caught.value)


def test_what_differs_is_said_with_its_name_and_both_values(photos):
    evaluated(photos)
    assert 'model "jpeg-q75", now "jpeg-q50"' in said(photos, "jpeg-q50")
    assert "seed 0, now 7" in said(photos, seed=7)
    assert "data n 3, now 2" in said(photos, limit=2)
    assert "give a fresh --out, or remove that folder" in said(photos, limit=2)


@pytest.mark.parametrize("sealed", [True, False])
def test_a_changed_file_is_named(photos, sealed, monkeypatch):
    with monkeypatch.context() as patch:
        if not sealed:
            patch.setattr(RunStore, "seal", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt()))
            with pytest.raises(KeyboardInterrupt):
                evaluated(photos)
        else:
            evaluated(photos)
    Image.new("RGB", (32, 32)).save(photos / "1.png")
    assert "(content of data: 1.png); give a fresh --out" in said(photos)
