"""The state of C2PA manifests stands beside the watermark's verdict, and neither decides the other."""

import struct
import zlib

import numpy as np
import pytest

from evalkit.errors import EvalkitError
from evalkit.jobs.options import RunOptions
from evalkit.watermark.detection import detect_mark

pytest.importorskip("c2pa")
pytest.importorskip("cryptography")


def test_manifests_are_absent_valid_trusted_or_invalid_whatever_the_verdict(toy, tmp_path):
    from evalkit.images.c2pa import sign_image
    from evalkit.images.credential import new_credential

    mark, data = toy.mark(), tmp_path / "data"
    data.mkdir()
    credential = new_credential(tmp_path / "credential")
    (tmp_path / "m.png").write_bytes(toy.saved(toy.marked(mark, 1)))
    (tmp_path / "p.png").write_bytes(toy.saved(toy.plain(1)))
    sign_image(tmp_path / "m.png", data / "a marked, signed.png", credential)
    sign_image(tmp_path / "p.png", data / "b plain, signed.png", credential)
    (data / "c marked.png").write_bytes((tmp_path / "m.png").read_bytes())
    (data / "d png named.jpg").write_bytes((tmp_path / "m.png").read_bytes())
    (data / "e signed, named.jpg").write_bytes((data / "a marked, signed.png").read_bytes())
    signed = (data / "a marked, signed.png").read_bytes()
    words = b"tEXtComment\0added afterwards"
    chunk = struct.pack(">I", len(words) - 4) + words + struct.pack(">I", zlib.crc32(words))
    at = signed.rindex(b"IEND") - 4
    (data / "f changed afterwards.png").write_bytes(signed[:at] + chunk + signed[at:])
    (data / "g empty.png").write_bytes(b"")
    run = detect_mark(data, mark, toy.Blocks(), c2pa=True, cache=False, options=RunOptions(out=tmp_path / "run"))
    rows = {row["id"][0]: row for row in run.samples.to_pylist()}
    assert [rows[id]["c2pa"] for id in "abcde"] == ["valid", "valid", "absent", "absent", "valid"]
    assert rows["f"]["c2pa"] == "invalid"
    assert rows["g"]["c2pa"] is None  # no image, no statement
    assert [rows[id]["verdict"] for id in "abcde"] == ["detected", "not detected", "detected", "detected", "detected"]
    anchored = detect_mark(
        data,
        mark,
        toy.Blocks(),
        c2pa=True,
        anchors=(tmp_path / "credential" / "authority.pem").read_bytes(),
        cache=False,
        options=RunOptions(out=tmp_path / "2"),
    )
    states = dict(zip(anchored.samples["id"].to_pylist(), anchored.samples["c2pa"].to_pylist(), strict=True))
    assert states["a marked, signed.png"] == "trusted"
    assert states["c marked.png"] == "absent"
    assert "C2PA" in (tmp_path / "2" / "report.html").read_text()


def test_manifests_are_read_from_files_only(toy, tmp_path):
    np.savez(tmp_path / "set.npz", np.stack([toy.plain(1)]))
    with pytest.raises(EvalkitError, match="is no folder"):
        detect_mark(tmp_path / "set.npz", toy.mark(), toy.Blocks(), c2pa=True, options=RunOptions(out=tmp_path / "run"))
