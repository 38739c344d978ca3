"""The evidence cache: what is kept, by what, for how long, and how other programs read it."""

import json
import os
import stat

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.encoders.base import Ocr, OcrText
from evalkit.encoders.evidence import EvidenceCache, evidence_key, evidence_of, pixels_sha256
from evalkit.encoders.registry import load_encoder
from evalkit.errors import EvalkitError
from evalkit.images import open_images


class Reader(Ocr):
    """Reads the mean of the image, and counts how often it looks."""

    def __init__(self, id="mean", version="1", weights="w1"):
        self.id, self.version, self.weights_sha256, self.looks = id, version, weights, 0

    def read(self, image):
        self.looks += 1
        return OcrText((f"{image.mean():.3f} \ud800",), (0.1 + 0.2,))


def images(n=3, seed=0):
    return list(np.random.default_rng(seed).integers(0, 256, (n, 8, 6, 3), dtype=np.uint8))


def test_what_was_seen_once_is_known_to_the_next_process(tmp_path):
    reader, (a, b, c) = Reader(), images()
    first = evidence_of(reader, [a, b, a], EvidenceCache(tmp_path / "e.sqlite"))
    assert reader.looks == 2
    assert first[0] == first[2] != first[1]
    again = evidence_of(reader, [c, b, a], EvidenceCache(tmp_path / "e.sqlite"))
    assert reader.looks == 3
    assert again == [reader.read(c), first[1], first[0]]


@pytest.mark.parametrize(
    "other", [Reader("other"), Reader(version="2"), Reader(weights="w2")], ids=["encoder", "version", "weights"]
)
def test_another_encoder_version_or_weights_looks_for_itself(other, tmp_path):
    cache = EvidenceCache(tmp_path / "e.sqlite")
    evidence_of(Reader(), images(), cache)
    evidence_of(other, images(), cache)
    assert other.looks == 3


def test_another_preprocessing_or_another_pixel_is_another_key():
    reader, (a, *_) = Reader(), images()
    b = a.copy()
    b[0, 0, 0] ^= 1
    keys = {evidence_key(reader, a), evidence_key(reader, a, "224"), evidence_key(reader, b)}
    assert len(keys) == 3
    assert pixels_sha256(a) != pixels_sha256(np.ascontiguousarray(a.reshape(6, 8, 3)))


def test_the_encoder_sees_the_prepared_image_under_the_key_of_the_original():
    reader, (a, *_), cache = Reader(), images(), EvidenceCache()
    (seen,) = evidence_of(reader, [a], cache, preprocessing="black", prepare=np.zeros_like)
    assert seen.lines[0].startswith("0.000")
    (plain,) = evidence_of(reader, [a], cache)
    assert plain != seen


def test_evidence_of_unknown_weights_stays_in_this_process(tmp_path):
    reader, cache = Reader(weights=None), EvidenceCache(tmp_path / "e.sqlite")
    assert evidence_of(reader, images(), cache) == evidence_of(reader, images(), cache)
    assert reader.looks == 3
    evidence_of(reader, images(), EvidenceCache(tmp_path / "e.sqlite"))
    assert reader.looks == 6


def test_the_file_is_its_owners_alone(tmp_path):
    cache = EvidenceCache(tmp_path / "deep" / "e.sqlite")
    evidence_of(Reader(), images(), cache)
    modes = {stat.S_IMODE(os.stat(path).st_mode) for path in (tmp_path / "deep").iterdir()}
    assert modes == {0o600}


def test_a_full_file_makes_way(tmp_path, monkeypatch):
    cache = EvidenceCache(tmp_path / "e.sqlite")
    monkeypatch.setattr(cache._db, "_largest", 200_000)
    for number in range(1000):
        cache.put({(f"{number * 7919 % 1000:064d}", "e", "w", ""): json.dumps("x" * 1000)})
    count = len(list(cache.rows()))
    assert 100 < count < 450
    ((page, pages, free),) = (
        tuple(cache._db.rows(f"pragma {name}")[0][0] for name in ("page_size", "page_count", "freelist_count")),
    )
    assert page * (pages - free) < 500_000


def test_other_programs_read_it_as_lines_and_as_parquet(tmp_path):
    cache, reader = EvidenceCache(tmp_path / "e.sqlite"), Reader()
    wanted = evidence_of(reader, images(450), cache)
    assert cache.export(tmp_path / "e.jsonl") == cache.export(tmp_path / "e.parquet") == 450
    lines = [json.loads(line) for line in (tmp_path / "e.jsonl").read_text().splitlines()]
    by_pixels = {line["pixels"]: reader.unpack(line["evidence"]) for line in lines}
    assert [by_pixels[pixels_sha256(image)] for image in images(450)] == wanted
    table = pq.read_table(tmp_path / "e.parquet").to_pylist()
    assert [{**row, "evidence": json.loads(row["evidence"])} for row in table] == lines
    with pytest.raises(EvalkitError, match="is there already"):
        cache.export(tmp_path / "e.jsonl")
    with pytest.raises(EvalkitError, match="neither"):
        cache.export(tmp_path / "e.csv")


def test_a_place_that_cannot_be_written_costs_the_cache_and_not_the_run(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("EVALKIT_CACHE", str(tmp_path / "file"))
    reader, cache = Reader(), EvidenceCache.shared()
    assert evidence_of(reader, images(), cache) == evidence_of(reader, images(), cache)
    assert reader.looks == 3
    with pytest.raises(EvalkitError, match="cannot be used as an evidence cache"):
        EvidenceCache(tmp_path / "file" / "e.sqlite")


def test_a_cache_that_breaks_while_in_use_costs_no_evidence(tmp_path):
    reader, cache = Reader(), EvidenceCache(tmp_path / "e.sqlite")
    wanted = evidence_of(reader, images(), cache)
    cache._db.close()
    assert evidence_of(reader, images(), cache) == wanted
    assert evidence_of(reader, images(), cache) == wanted
    assert reader.looks == 6


@pytest.mark.parametrize("name", ["efflite0", "yunet-s", "rapidocr"])
def test_kept_evidence_equals_what_the_encoder_says(name):
    encoder, cache = load_encoder(name, device="cpu"), EvidenceCache()
    photos = [sample.image for sample in open_images("sample/photos").read(0, 2)]
    fresh = evidence_of(encoder, photos, cache)
    kept = evidence_of(encoder, photos, cache)
    for a, b in zip(fresh, kept, strict=True):
        assert np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b


@given(st.lists(st.text(max_size=5), max_size=4))
def test_texts_come_back_as_they_were(lines):
    reader = Reader()
    text = OcrText(tuple(lines), (0.5,) * len(lines))
    assert reader.unpack(json.loads(json.dumps(reader.pack(text)))) == text
