import json

import pytest

from evalkit.images import open_images
from evalkit.images.c2pa import MADE_BY_A_MODEL, read_manifest, sign_image
from evalkit.images.credential import new_credential
from evalkit.jobs.options import RunOptions
from evalkit.watermark.embed import Nudge, embed_watermark
from evalkit.watermark.embed.signed import sign_run
from evalkit.watermark.service.layers import audit_layers, layers_of
from evalkit.watermark.service.scan import scan_folder


@pytest.fixture(scope="module")
def credential(tmp_path_factory):
    return new_credential(tmp_path_factory.mktemp("c2pa") / "made")


@pytest.fixture
def folder(made, credential, tmp_path):
    """One image of each combination of layers, one with a manifest that was broken, and a file that is no image."""
    home = tmp_path / "images"
    home.mkdir()
    for name, data in (("watermark", made.marked[0]), ("neither", made.plain[0]), ("junk", b"no image")):
        (home / f"{name}.png").write_bytes(data)
    for name, source in (("both", "watermark"), ("metadata", "neither")):
        sign_image(home / f"{source}.png", home / f"{name}.png", credential)
    broken = bytearray((home / "metadata.png").read_bytes())
    broken[broken.index(b"IDAT") + 20] ^= 1
    (home / "broken.png").write_bytes(broken)
    enhanced = {"action": "c2pa.created", "digitalSourceType": MADE_BY_A_MODEL.replace("trained", "un")}
    sign_image(home / "neither.png", home / "other.png", credential, (enhanced,))
    return home


def test_every_image_is_told_by_its_layers(folder, ring, settings, tmp_path):
    scan_folder(folder, ring, tmp_path / "s.jsonl", settings)
    lines = [json.loads(line) for line in (tmp_path / "s.jsonl").read_text().splitlines()]
    assert {each["image"]["id"].removesuffix(".png"): layers_of(each) for each in lines} == {
        "both": "both",
        "broken": "could not be read",
        "junk": "could not be read",
        "metadata": "metadata only",
        "neither": "neither",
        "other": "neither",
        "watermark": "watermark only",
    }


def test_an_edit_that_writes_a_new_file_keeps_the_mark_and_no_manifest(folder, ring, settings, tmp_path):
    done = audit_layers(folder, ring, tmp_path / "audit", settings, edits=("png", "noise:0.3"))
    kept = {row["edit"]: (row["watermark"]["share"], row["metadata"]["share"]) for row in done.survival}
    assert kept == {"copy": (1, 1), "png": (1, 0), "noise:0.3": (0, 0)}
    assert {row["watermark"]["of"] for row in done.survival} == {2}
    said = json.loads((tmp_path / "audit" / "audit.json").read_text())
    assert said["layers"]["both"] == said["layers"]["metadata only"] == said["layers"]["watermark only"] == 1
    page = (tmp_path / "audit" / "audit.html").read_text()
    assert "2 of 7 images carry a watermark, 2 signed metadata, 1 both." in page
    marks = [
        mark
        for line in (tmp_path / "audit" / "scan.jsonl").read_text().splitlines()
        for mark in json.loads(line)["marks"]
    ]
    found = [mark["entry"] for mark in marks if mark["verdict"] == "marked"]
    assert said["keys"] == {entry: found.count(entry) for entry in {mark["entry"] for mark in marks}}
    assert sum(said["keys"].values()) == 2
    assert "noise:0.3" in page
    assert "Watermark: of one of 2 keys of the ring, where" in page


def test_the_profile_states_that_a_model_made_the_images_and_keeps_their_manifests(made, credential, tmp_path):
    originals = tmp_path / "in"
    originals.mkdir()
    (originals / "bare.png").write_bytes(made.plain[0])
    sign_image(originals / "bare.png", originals / "signed.png", credential)
    run = embed_watermark(
        originals,
        made.keys["one"],
        "world-vq",
        mark=made.mark.spec,
        nudge=Nudge(steps=2, levels=12),
        options=RunOptions(out=tmp_path / "run"),
    )
    sign_run(run, credential, made_by_model=True, originals=open_images(originals))
    bare, signed = (read_manifest(run.path / "signed" / f"{name}.png") for name in ("bare", "signed"))
    assert bare.actions == ("c2pa.created", "c2pa.watermarked.unbound")
    assert signed.actions == ("c2pa.opened", "c2pa.watermarked.unbound")
    assert bare.source_types == signed.source_types == ("trainedAlgorithmicMedia",)
    assert signed.state == "valid"
    assert [each["relationship"] for each in signed.content["ingredients"]] == ["parentOf"]
    assert (
        signed.content["ingredients"][0]["active_manifest"] == read_manifest(originals / "signed.png").content["label"]
    )
