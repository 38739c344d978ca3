import os
from urllib.parse import unquote

import pytest

from evalkit.pages.view.images import address, copied, linked, sample_images
from evalkit.runs import read_run


def row(id, **more):
    return {"id": id, "protocol": "p", **more}


def entry(id, stem, protocol="p", **more):
    both = {"original": f"images/{stem}-o.png", "reconstruction": f"images/{stem}-r.png"}
    return {"id": id, "protocol": protocol, "kind": "worst", "rank": 1, "scores": {}, **both, **more}


def test_kept_pairs_are_found_by_sample_and_protocol(make_run, draw):
    rows = [row("a"), row("b"), {"id": "a", "protocol": "q"}]
    run = make_run("t", rows, images=[entry("a", "1"), entry("a", "2", "q"), entry("gone", "3")])
    for stem in "123":
        for side in "or":
            draw(run / "images" / f"{stem}-{side}.png")
    original, reconstruction = sample_images(read_run(run))
    assert (original.kind, reconstruction.kind) == ("original", "reconstruction")
    assert original.files == [run / "images/1-o.png", None, run / "images/2-o.png"]
    assert reconstruction.files == [run / "images/1-r.png", None, run / "images/2-r.png"]


def test_samples_without_protocol_take_the_images_of_any(make_run, draw):
    run = make_run("t", [{"id": "a"}], images=[entry("a", "1")])
    draw(run / "images/1-o.png")
    (only,) = sample_images(read_run(run))
    assert only.files == [run / "images/1-o.png"]


def test_generated_images_are_found_by_the_file_column(make_run, draw):
    run = make_run("g", [{"id": "a", "file": "images/0.png"}, {"id": "b", "file": None}])
    draw(run / "images/0.png")
    (only,) = sample_images(read_run(run))
    assert (only.kind, only.files) == ("image", [run / "images/0.png", None])


def test_a_run_without_images_has_none(make_run):
    assert sample_images(read_run(make_run("n", [{"id": "a", "psnr": 1.0}]))) == []
    assert sample_images(read_run(make_run("m", [{"id": "a", "file": "images/gone.png"}]))) == []


OUTSIDE = ("../secret.png", "images/../../secret.png", "https://example.org/a.png", "images/link.png", "out/secret.png")
NO_PICTURE = (
    "images/page.svg",
    "images/folder.png",
    "",
    "images/",
    "images/a\0.png",
    "x" * 5000 + ".png",
    "a/" * 3000 + ".png",
)


@pytest.mark.parametrize("name", [*OUTSIDE, *NO_PICTURE])
def test_nothing_outside_the_run_nor_of_another_type_is_shown(make_run, draw, tmp_path, name):
    secret = draw(tmp_path / "runs" / "secret.png")
    draw(tmp_path / "elsewhere" / "secret.png")
    run = make_run("g", [{"id": "a", "file": name}])
    draw(run / "images/real.png")
    (run / "images/folder.png").mkdir()
    (run / "images/page.svg").write_text("<svg/>")
    os.symlink(secret, run / "images/link.png")
    os.symlink(tmp_path / "elsewhere", run / "out")
    assert sample_images(read_run(run)) == []


def test_absolute_names_outside_are_not_shown_and_links_inside_are(make_run, draw, tmp_path):
    outside = draw(tmp_path / "secret.png")
    run = make_run("g", [{"id": "a", "file": str(outside)}, {"id": "b", "file": "images/link.png"}])
    draw(run / "images/real.png")
    os.symlink(run / "images/real.png", run / "images/link.png")
    (only,) = sample_images(read_run(run))
    assert only.files == [None, run / "images/link.png"]


def test_addresses_are_relative_and_escape_every_name(make_run, draw, tmp_path):
    names = ["images/a b#c?d%41'\"<b>.png", "images/\u202eé:x.png"]
    run = make_run("g: 1", [{"id": str(i), "file": name} for i, name in enumerate(names)])
    for name in names:
        draw(run / name)
    (found,) = linked(sample_images(read_run(run)), tmp_path / "runs" / "view")
    whole = [found["base"] + file for file in found["files"]]
    assert found["base"] == "../g%3A%201/images/"
    assert not set(" #?'\"<>:\u202e") & set("".join(whole))
    assert [unquote(each) for each in whole] == [f"../g: 1/{name}" for name in names]


def test_copies_lie_in_the_folder_under_plain_names(make_run, draw, tmp_path):
    run = make_run("g", [{"id": "a", "file": "images/a b.PNG"}, {"id": "b", "file": None}])
    draw(run / "images/a b.PNG")
    out = tmp_path / "out"
    (found,) = copied(sample_images(read_run(run)), out, "0")
    assert found == {"kind": "image", "base": "pictures/0/", "files": ["0000000-0.png", None]}
    assert (out / "pictures/0/0000000-0.png").read_bytes() == (run / "images/a b.PNG").read_bytes()


def test_places_on_another_drive_have_absolute_addresses(tmp_path, monkeypatch):
    def apart(*_):
        raise ValueError("path is on mount 'C:', start on mount 'D:'")

    monkeypatch.setattr(os.path, "relpath", apart)
    assert address(tmp_path / "a b", tmp_path) == (tmp_path.resolve() / "a b").as_uri()


def test_images_that_a_run_scored_but_does_not_hold_are_found_by_file_or_id(make_run, draw, tmp_path):
    photos = tmp_path / "photos"
    for name in ("a.png", "sub/b.webp", "c.JPG"):
        draw(photos / name)
    draw(tmp_path / "secret.png")
    rows = [row("a.png"), row("sub/b"), row("c.JPG"), row("gone"), row("../secret")]
    (found,) = sample_images(read_run(make_run("t", rows, record={"task": "tokenizer"})), photos)
    assert found.kind == "original"
    assert found.files == [photos / "a.png", photos / "sub/b.webp", photos / "c.JPG", None, None]
    run = make_run("g", [{"id": "0", "file": "c.JPG"}, {"id": "a", "file": "gone.png"}])
    (found,) = sample_images(read_run(run), photos)
    assert (found.kind, found.files) == ("image", [photos / "c.JPG", None])
    assert sample_images(read_run(make_run("n", [{"id": "nothing"}])), photos) == []


def test_kept_originals_come_before_those_of_the_folder(make_run, draw, tmp_path):
    photos = tmp_path / "photos"
    for name in ("a.png", "b.png"):
        draw(photos / name)
    run = make_run("t", [row("a.png"), row("b.png")], images=[entry("a.png", "1")])
    for side in "or":
        draw(run / f"images/1-{side}.png")
    original, reconstruction = sample_images(read_run(run), photos)
    assert original.files == [run / "images/1-o.png", photos / "b.png"]
    assert reconstruction.files == [run / "images/1-r.png", None]
