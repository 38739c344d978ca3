"""Marked images that were moved are found by their template, without a word about it from the user."""

import numpy as np
import pytest
from PIL import Image

from evalkit.errors import EvalkitError
from evalkit.images import open_images
from evalkit.jobs.options import RunOptions
from evalkit.provenance.verify import verify_run
from evalkit.tokenizers.registry import load_tokenizer
from evalkit.watermark.attacks.spelling import Options, read_attacks
from evalkit.watermark.detection import detect_watermark
from evalkit.watermark.detection.cache import CodeCache
from evalkit.watermark.detection.detect import default_search
from evalkit.watermark.detection.reader import Reader
from evalkit.watermark.detection.scan import Scanner
from evalkit.watermark.detection.search import TEMPLATED, read_search
from evalkit.watermark.detection.viewed import possible
from evalkit.watermark.detection.views import View
from evalkit.watermark.embed import Nudge, embed_watermark
from evalkit.watermark.keys import Key
from evalkit.watermark.methods import MarkSpec, mark_for, read_mark
from evalkit.watermark.service.codes import Reading
from evalkit.watermark.service.engine import Engine, Settings, Upload
from evalkit.watermark.service.ring import Entry, Ring
from evalkit.watermark.service.ring_file import write_ring
from evalkit.watermark.template.pose import Pose

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
    assert row["verdict"] == "detected"
    assert row["transform"].startswith("template")
    assert run.record["detection"]["rule"]["decide"] == "decoys"
    assert run.record["detection"]["search"][0] == "template"
    assert len(run.record["detection"]["search"]) == 19
    assert row["log10_p"] < -4
    assert row["n_tests"] == (4 if row["transform"] == "template" else 72)
    assert verify_run(run.path).failures == ()
    options = RunOptions(out=tmp_path / "b", device="cpu")
    plain = detect_watermark(edited, KEY, mark=marked.path, search="none", cache=False, options=options)
    assert plain.samples["verdict"].to_pylist() == ["not detected"]
    other = MarkSpec("places")
    options = RunOptions(out=tmp_path / "c", device="cpu")
    wrong = Key(bytes(range(1, 33)))
    found = detect_watermark(edited, wrong, "world-vq:128", mark=other, search="template", cache=False, options=options)
    assert found.samples["verdict"].to_pylist() == ["not detected"]


def test_a_brighter_image_is_found_behind_its_template(marked, tmp_path):
    image = np.asarray(Image.open(marked.path / "images" / "a.png"))
    (attack,) = read_attacks(["flip+brightness:1.3"], Options())
    (tmp_path / "data").mkdir()
    Image.fromarray(attack.apply(image, 0)).save(tmp_path / "data" / "b.png")
    tokenizer = load_tokenizer("world-vq:128", device="cpu")
    mark = mark_for(MarkSpec("places"), KEY, tokenizer)
    found = {}
    for search in ("template", TEMPLATED):
        reader = Reader(open_images(tmp_path / "data"), tokenizer, CodeCache(":memory:"))
        found[search] = Scanner(reader, mark, read_search(search, 8)).scan([0]).log_p[0]
    assert found[TEMPLATED] < np.log(1e-6)
    assert found["template"] > found[TEMPLATED] + np.log(100)


def test_behind_a_template_that_may_be_chance_nothing_is_tried():
    views = read_search(TEMPLATED, 8)
    assert possible(views, None) == []
    assert possible(views, Pose(peak=5.5)) == [View(template=True)]
    assert possible(views, Pose(peak=9.0)) == list(views)


def test_a_service_finds_what_detect_finds_by_the_template(marked, edited, tmp_path, monkeypatch):
    (tmp_path / "k.key").write_text(f"{KEY.secret.hex()}\n")
    (tmp_path / "k.key").chmod(0o600)
    file = read_mark(marked.path)
    entry = Entry("one", KEY.id, str(tmp_path / "k.key"), file.spec, file.tokenizer, search=TEMPLATED)
    write_ring(tmp_path / "ring", Ring((entry,)))
    photo = next(each.image for each in open_images("sample/photos").read(0, 9) if "cat" in each.id)
    Image.fromarray(photo).save(edited / "plain.png")
    options = RunOptions(out=tmp_path / "run", device="cpu")
    run = detect_watermark(edited, KEY, mark=marked.path, decide="exact", cache=False, options=options)
    engine, read = Engine(tmp_path / "ring", Settings(cache=":memory:", alpha=1e-3)), Reading.read
    again = []
    monkeypatch.setattr(Reading, "read", lambda *given, **how: again.append(how) or read(*given, **how))
    answers = engine.look([Upload(path.read_bytes(), path.name) for path in sorted(edited.iterdir())])
    assert again == [{}, {}, {"finer": True}]  # each once, and for the view of the one that has a template
    engine.close()
    details = [each.marks[0].details for each in answers]
    assert [each["log10_p"] for each in details] == pytest.approx(run.samples["log10_p"].to_pylist(), abs=1e-5)
    assert [each["view"] for each in details] == run.samples["transform"].to_pylist()
    assert [each.verdict for each in answers] == ["marked", "not found"]


def test_an_image_without_a_template_is_decoded_and_encoded_once(marked, tmp_path, monkeypatch):
    photo = next(each.image for each in open_images("sample/photos").read(0, 9) if "cat" in each.id)
    (tmp_path / "data").mkdir()
    Image.fromarray(photo).save(tmp_path / "data" / "plain.png")
    tokenizer, images = load_tokenizer("world-vq:128", device="cpu"), open_images(tmp_path / "data")
    reader = Reader(images, tokenizer, CodeCache(":memory:"))
    scanner = Scanner(reader, mark_for(MarkSpec("places"), KEY, tokenizer), read_search(TEMPLATED, 8))
    counts = {"encode": 0, "read": 0}

    def counted(owner, name):
        real = getattr(owner, name)

        def call(*given, **named):
            counts[name] += 1
            return real(*given, **named)

        monkeypatch.setattr(owner, name, call)

    counted(tokenizer, "encode")
    counted(images, "read")
    found = scanner.scan([0])
    assert counts == {"encode": 1, "read": 1}
    assert found.best.view.tolist() == [0]
    assert found.best.log_pool[0] == pytest.approx(tally_of(scanner, reader)[0] + np.log(2))  # its price stays


def tally_of(scanner, reader):
    return scanner.mark.score(reader.codes([each.kept for each in reader.read([0])])).log_p


def test_a_template_is_looked_for_where_it_was_embedded_and_no_calibration_says_otherwise(marked, tmp_path):
    file = read_mark(marked.path)
    assert file.embedding["template"] == Nudge().template
    assert default_search(file, None) == TEMPLATED
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
