"""The code cache: what is kept, what is found again, and what happens to broken files."""

import sqlite3
import stat

import numpy as np
import pytest
from click.testing import CliRunner

from evalkit.cli import group
from evalkit.errors import EvalkitError
from evalkit.watermark.detection.cache import CodeCache, Kept, packed, unpacked


def kept(codes=b"12"):
    return Kept(codes, -5, 64, 32, "PNG", "RGB", 1, None)


def test_images_are_found_by_place_while_the_state_is_the_same_and_by_digest_anywhere(tmp_path):
    cache = CodeCache(tmp_path / "deep" / "c.sqlite")
    cache.put("prep", {"sha": kept()}, {"a": ("s1", "sha")})
    cache.close()
    again = CodeCache(tmp_path / "deep" / "c.sqlite")
    assert again.known({"a": "s1", "b": "s1"}, "prep") == {"a": ("sha", kept())}
    assert again.known({"a": "s2"}, "prep") == {}
    assert again.known({"a": "s1"}, "other preparation") == {}
    assert again.images(["sha", "other"], "prep") == {"sha": kept()}
    assert again.images(["sha"], "other preparation") == {}


def test_more_places_than_fit_one_query(tmp_path):
    cache = CodeCache(tmp_path / "c")
    cache.put("p", {str(i): kept(str(i).encode()) for i in range(1201)}, {f"at{i}": ("s", str(i)) for i in range(1201)})
    found = cache.known({f"at{i}": "s" for i in range(1201)}, "p")
    assert {place: each.codes for place, (_, each) in found.items()} == {f"at{i}": str(i).encode() for i in range(1201)}
    assert len(cache.images(map(str, range(1201)), "p")) == 1201


def test_memory_keeps_nothing():
    cache = CodeCache(":memory:")
    cache.put("p", {"sha": kept()}, {"a": ("s", "sha")})
    assert cache.known({"a": "s"}, "p") == {}
    assert cache.images(["sha"], "p") == {}


def test_files_that_are_no_cache_are_said_so_and_left_alone(tmp_path):
    (tmp_path / "words").write_bytes(b"no database at all, " * 100)
    with pytest.raises(EvalkitError, match="cannot be used as a code cache"):
        CodeCache(tmp_path / "words")
    assert (tmp_path / "words").read_bytes().startswith(b"no database")
    with pytest.raises(EvalkitError, match="another --cache file, or --no-cache"):
        CodeCache(tmp_path)
    with sqlite3.connect(tmp_path / "newer") as db:
        db.execute("pragma user_version=99")
    with pytest.raises(EvalkitError, match="another version of evalkit"):
        CodeCache(tmp_path / "newer")


def test_a_cache_that_breaks_while_in_use_is_said_so(tmp_path):
    cache = CodeCache(tmp_path / "c")
    cache.close()
    for use in (
        lambda: cache.known({"a": "s"}, "p"),
        lambda: cache.images(["a"], "p"),
        lambda: cache.put("p", {"sha": kept()}, {}),
    ):
        with pytest.raises(EvalkitError, match="cannot be used as a code cache"):
            use()


@pytest.mark.parametrize("vocabulary", [2, 256, 257, 65_536, 65_537, 2**20])
def test_packed_codes_come_back(vocabulary):
    shape = (7, 13) if vocabulary == 2 else (9,)
    codes = np.random.default_rng(vocabulary).integers(0, vocabulary, (5, *shape))
    codes[0] = vocabulary - 1
    parts = [packed(row, vocabulary) for row in codes]
    assert np.array_equal(unpacked(parts, vocabulary, shape), codes)
    assert unpacked([], vocabulary, shape).shape == (0, *shape)


def test_a_cache_is_its_owners_alone_and_forgets_on_demand(tmp_path):
    path = tmp_path / "c"
    cache = CodeCache(path)
    cache.put("p", {f"sha{i}": kept(b"secret codes") for i in range(3)}, {f"at{i}": ("s", f"sha{i}") for i in range(3)})
    cache.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)  # as one made by hand
    said = CliRunner().invoke(group, ["watermark", "purge", "--cache", str(path)]).output
    assert "3 images forgotten" in said
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert b"secret codes" not in path.read_bytes()
    again = CodeCache(path)
    assert (again.known({"at0": "s"}, "p"), again.images(["sha0"], "p")) == ({}, {})
