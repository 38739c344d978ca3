import fsspec
import pytest

from evalkit.encoders.evidence import EvidenceCache
from evalkit.encoders.evidence_objects import SHARED, SharedEvidence
from evalkit.errors import EvalkitError

KEY, OTHER, UNKNOWN = ("p", "e 1", "w", ""), ("q", "e 1", "w", ""), ("p", "e 1", "", "")
FS = fsspec.filesystem("memory")


@pytest.fixture(autouse=True)
def _empty(monkeypatch):
    monkeypatch.setenv(SHARED, "memory://evidence/all")
    yield
    FS.store.clear()


def test_evidence_of_one_machine_is_known_to_another(tmp_path, monkeypatch):
    monkeypatch.setenv("EVALKIT_CACHE", str(tmp_path / "one"))
    EvidenceCache.shared().put({KEY: "[1]", UNKNOWN: "[2]"})
    monkeypatch.setenv("EVALKIT_CACHE", str(tmp_path / "two"))
    assert EvidenceCache.shared().get([KEY, OTHER, UNKNOWN]) == {KEY: "[1]"}
    FS.store.clear()
    assert EvidenceCache.shared().get([KEY]) == {KEY: "[1]"}  # it was kept here


def test_what_was_seen_lies_where_the_environment_says(tmp_path, monkeypatch):
    monkeypatch.delenv(SHARED)
    monkeypatch.setenv("EVALKIT_CACHE", str(tmp_path / "cache"))
    EvidenceCache.shared().put({KEY: "[1]"})
    monkeypatch.setenv("EVALKIT_KEPT", str(tmp_path / "kept"))
    assert EvidenceCache.shared().get([KEY]) == {}
    assert (tmp_path / "kept" / "evidence.sqlite").is_file()


def test_a_store_that_fails_costs_the_cache_and_not_the_run(monkeypatch):
    shared = SharedEvidence("memory://evidence/all")
    shared.put({KEY: "[1]"})
    monkeypatch.setattr(type(FS), "cat", lambda *given, **more: 1 / 0)
    assert shared.get([KEY]) == {}
    shared.put({OTHER: "[2]"})
    assert len(FS.find("/evidence")) == 1


def test_an_object_of_other_keys_is_not_believed():
    shared = SharedEvidence("memory://evidence/all")
    shared.put({KEY: "[1]"})
    (path,) = FS.find("/evidence")
    FS.pipe_file(path, FS.cat_file(path).replace(b'"p"', b'"x"'))
    assert shared.get([KEY]) == {}
    with pytest.raises(EvalkitError, match="no address"):
        SharedEvidence("nostore://x")
