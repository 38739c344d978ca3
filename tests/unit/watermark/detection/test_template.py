"""Marked images that were moved are found by their template, without a word about it from the user."""

import numpy as np
import pytest
from PIL import Image

from evalkit.errors import EvalkitError
from evalkit.images import open_images
from evalkit.jobs.options import RunOptions
from evalkit.provenance.verify import verify_run
from evalkit.watermark.attacks.spelling import Options, read_attacks
from evalkit.watermark.detection import detect_watermark
from evalkit.watermark.detection.detect import default_search
from evalkit.watermark.detection.search import read_search
from evalkit.watermark.detection.views import View
from evalkit.watermark.embed import Nudge, embed_watermark
from evalkit.watermark.keys import Key
from evalkit.watermark.methods import MarkSpec, read_mark

KEY = Key(bytes(range(32)))


@pytest.fixture(scope="module")
def marked(tmp_path_factory):
    """A run that marked one photograph at 40 dB."""
    folder = tmp_path_factory.mktemp("photo")
    photo = next(each.image for each in open_images("sample/photos").read(0, 9) if "cat" in each.id)
    (folder / "data").mkdir()
    Image.fromarray(photo).save(folder / "data" / "a.png")
    options = RunOptions(out=folder / "run", device="cpu")
    return embed_watermark(
        folder / "data", KEY, "world-vq:128", mark=MarkSpec("places"), nudge=Nudge(), options=options
    )


@pytest.fixture
def edited(marked, tmp_path):
    """A folder with the photograph, mirrored and cut."""
    image = np.asarray(Image.open(marked.path / "images" / "a.png"))
    (attack,) = read_attacks(["flip+cut:0.85:corner+jpeg:80"], Options())
    (tmp_path / "data").mkdir()
    Image.fromarray(attack.apply(image, 0)).save(tmp_path / "data" / "b.png")
    return tmp_path / "data"


def test_a_mirrored_crop_is_found_by_the_template_that_mark_json_tells_of(marked, edited, tmp_path):
    run = detect_watermark(
        edited, KEY, mark=marked.path, cache=False, options=RunOptions(out=tmp_path / "a", device="cpu")
    )
    (row,) = run.samples.to_pylist()
    assert (row["verdict"], row["transform"]) == ("detected", "template")
    assert run.record["detection"]["rule"]["decide"] == "decoys"
    assert run.record["detection"]["search"] == ["template"]
    assert row["log10_p"] < -4
    assert row["n_tests"] == 2
    assert verify_run(run.path).failures == ()
    options = RunOptions(out=tmp_path / "b", device="cpu")
    plain = detect_watermark(edited, KEY, mark=marked.path, search="none", cache=False, options=options)
    assert plain.samples["verdict"].to_pylist() == ["not detected"]
    other = MarkSpec("places")
    options = RunOptions(out=tmp_path / "c", device="cpu")
    wrong = Key(bytes(range(1, 33)))
    found = detect_watermark(edited, wrong, "world-vq:128", mark=other, search="template", cache=False, options=options)
    assert found.samples["verdict"].to_pylist() == ["not detected"]


def test_a_template_is_looked_for_where_it_was_embedded_and_no_calibration_says_otherwise(marked, tmp_path):
    file = read_mark(marked.path)
    assert file.embedding["template"] == Nudge().template
    assert default_search(file, None) == "template"
    assert default_search(file, tmp_path / "cal.npz") == default_search(None, None) == "none"


def test_a_template_goes_together_with_light():
    assert View(template=True) in read_search("template,light", 8)
    assert View(template=True, gain=1.25) in read_search("template/gains:1.25", 8)
    with pytest.raises(EvalkitError, match="there is no search called"):
        read_search("template:2", 8)


def test_a_template_takes_its_share_of_the_change_and_small_images_have_none():
    assert Nudge(psnr=40).as_dict()["template"] == 0.08
    assert "template" not in Nudge(template=0).as_dict()
    with pytest.raises(EvalkitError, match=r"from 0 to 0\.9"):
        Nudge(template=0.95)
