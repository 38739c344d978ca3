"""What tasks add to a sealed run, and runs that go on after sealing, reach the object store too."""

import fsspec
import numpy as np
import pytest
from PIL import Image

from evalkit.errors import EvalkitError
from evalkit.jobs.options import RunOptions
from evalkit.provenance.verify import verify_run
from evalkit.runs.store import read_run
from evalkit.weights.object_stores import here, opened


@pytest.fixture(autouse=True)
def _empty(tmp_path, monkeypatch):
    monkeypatch.setenv("EVALKIT_CACHE", str(tmp_path / "cache"))
    yield
    fsspec.filesystem("memory").store.clear()


def copied(url, target):
    place = opened(url)
    place.get(place.names(), target)
    return target


def test_a_layout_of_a_generation_is_in_the_store_and_sealed(tmp_path):
    from evalkit.tasks.generate import generate_images

    options = RunOptions(out=here("memory://store/made"), limit=2, device="cpu")
    generate_images("world-ar", "world", layout="geneval", options=options)
    copy = copied("memory://store/made", tmp_path / "copy")
    assert len(list((copy / "geneval").rglob("*.png"))) == 2
    assert verify_run(copy).failures == ()


def test_an_attack_that_is_added_later_joins_the_run_in_the_store(tmp_path):
    from evalkit.watermark.attacks.run import attack_folder
    from evalkit.watermark.attacks.spelling import read_attacks

    data = tmp_path / "data"
    data.mkdir()
    Image.fromarray(np.arange(48 * 48 * 3, dtype=np.uint8).reshape(48, 48, 3)).save(data / "a.png")
    out = here("memory://store/attacked")
    attack_folder(data, read_attacks(["noise:0.1"]), out, device="cpu")
    attack_folder(data, read_attacks(["jpeg:60"]), out, device="cpu")
    copy = copied("memory://store/attacked", tmp_path / "copy")
    assert sorted(read_run(copy).samples["attack"].to_pylist()) == ["jpeg:60", "noise:0.1"]
    assert verify_run(copy).failures == ()


def test_a_calibration_is_a_file_of_this_machine():
    from evalkit.watermark.detection.calibration_file import check_name

    with pytest.raises(EvalkitError, match="Give a path here"):
        check_name(here("memory://store/cal.npz"))


def test_prompts_and_images_of_a_probe_are_read_from_the_store(tmp_path):
    from evalkit.tasks.generate import generate_images
    from evalkit.tasks.probe import probe

    fsspec.filesystem("memory").pipe_file("/store/mine.txt", b"a photo of a red apple\n")
    options = RunOptions(out=tmp_path / "one", device="cpu")
    assert generate_images("world-ar", "memory://store/mine.txt", options=options).samples.num_rows == 1
    generate_images("world-ar", "world", options=RunOptions(out=here("memory://store/made"), limit=3, device="cpu"))
    options = RunOptions(out=tmp_path / "probe", limit=3, device="cpu")
    run = probe("world", "memory://store/made", options=options)
    assert run.samples.num_rows == 3
    assert run.record["data"]["spec"] == "memory://store/made"
    assert verify_run(run.path).failures == ()
