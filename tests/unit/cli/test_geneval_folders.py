"""A folder in GenEval's layout, as `generate --layout geneval` leaves it, is a folder of images for every verb."""

import pytest
from helpers.verbs import MARK, RUNS, TOKENIZER, call, worlds

from evalkit.images import open_images


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """`data`: the layout with GenEval's sheets of images beside; `my.key`, and a ring that knows it."""
    place = tmp_path_factory.mktemp("place")
    worlds(place / "made")
    for arguments in (
        ["watermark", "keygen", f"{place}/my.key"],
        [*RUNS["generate"](place, place / "run"), "--layout", "geneval"],
    ):
        assert call(arguments).code == 0
    (place / "run" / "geneval").rename(place / "data")
    for prompt in ("00000", "00001"):
        (place / "data" / prompt / "grid.png").write_bytes((place / "data/00000/samples/0000.png").read_bytes())
    assert call([*RUNS["embed"](place, place / "marked"), "--method", "places"]).code == 0
    ring = ["watermark", "ring", "add", f"{place}/ring", "--id", "a", "--key", f"{place}/my.key"]
    assert call([*ring, "--mark", f"{place}/marked/mark.json"]).code == 0
    return place


def test_its_sheets_of_images_and_its_prompts_are_left_out(place):
    images = open_images(place / "data")
    assert images.ids() == ["00000/samples/0000.png", "00001/samples/0000.png"]
    assert images.skipped == {"grid.png": 2, ".jsonl": 1}
    assert images.unmatched == []
    assert [dict(images.known(number)) for number in range(2)] == [{}, {}]


OTHERS = {
    "scan": lambda p, out: ["watermark", "scan", f"{p}/data", "--key-ring", f"{p}/ring", "--out", f"{out}/a.jsonl"],
    "audit": lambda p, out: ["watermark", "audit", f"{p}/data", "--key-ring", f"{p}/ring", "--out", f"{out}"],
    "radioactive": lambda p, out: [
        *("watermark", "radioactive", "--outputs", f"{p}/data", "--key", f"{p}/my.key", *MARK, "--no-cache"),
        *("--out", f"{out}"),
    ],
    "a glob": lambda p, out: [
        *("tokenizer", "-m", "webp-q75", *TOKENIZER, "--data", f"{p}/data/*/samples/*.png", "--out", f"{out}"),
    ],
}


@pytest.mark.parametrize("verb", [name for name in (*RUNS, *OTHERS) if name not in ("generate", "probe")])
def test_every_verb_reads_it(place, tmp_path, verb):
    done = call({**RUNS, **OTHERS}[verb](place, tmp_path / "out"))
    assert done.code == (1 if verb == "audit" else 0), done.said  # an image carries fewer than two layers
    assert "file_name" not in done.said
