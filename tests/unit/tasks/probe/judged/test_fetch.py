"""Files of a benchmark: fetched at their commit, refused where they are others, and named where there is no network."""

import hashlib
from dataclasses import replace

import pytest

from evalkit.errors import EvalkitError
from evalkit.protocols.judged import load_declaration
from evalkit.tasks.probe.judged import fetch as fetching
from evalkit.tasks.probe.judged.fetch import fetch

FILES = {"data/a b.json": b"[1]", "script.py": b"x = 1"}


@pytest.fixture
def wise(monkeypatch):
    said = load_declaration("wise")
    sums = {path: hashlib.sha256(data).hexdigest() for path, data in FILES.items()}
    said = replace(said, source=replace(said.source, files=sums))
    monkeypatch.setattr(fetching, "load_declaration", lambda name: said)
    return said


def served(monkeypatch, tmp_path, files):
    asked = []

    def from_url(url):
        asked.append(url)
        name = next((path for path in files if url.endswith(path.replace(" ", "%20"))), None)
        if name is None:
            return None
        place = tmp_path / "download"
        place.write_bytes(files[name])
        return place

    monkeypatch.setattr(fetching, "from_url", from_url)
    return asked


def test_files_are_fetched_once_at_the_commit_and_told(wise, tmp_path, monkeypatch):
    asked, told = served(monkeypatch, tmp_path, FILES), []
    folder = fetch("wise", tmp_path / "data", told.append)
    assert {path: (folder / path).read_bytes() for path in FILES} == FILES
    assert all(wise.source.commit in url for url in asked)
    assert wise.licence in told[0]
    fetch("wise", tmp_path / "data", told.append)
    assert len(asked) == len(FILES)


def test_without_a_network_the_file_and_its_place_are_named(wise, tmp_path, monkeypatch):
    served(monkeypatch, tmp_path, {})
    with pytest.raises(EvalkitError) as caught:
        fetch("wise", tmp_path / "data", lambda said: None)
    assert "data/a b.json cannot be had from here" in str(caught.value)
    assert str(tmp_path / "data" / "data" / "a b.json") in str(caught.value)
    (tmp_path / "data" / "data").mkdir(parents=True)
    for path, data in FILES.items():  # saved by hand
        (tmp_path / "data" / path).write_bytes(data)
    assert fetch("wise", tmp_path / "data", lambda said: None) == tmp_path / "data"


def test_another_file_than_the_suite_names_is_refused(wise, tmp_path, monkeypatch):
    served(monkeypatch, tmp_path, {**FILES, "script.py": b"x = 2"})
    with pytest.raises(EvalkitError, match="is not the file that wise names"):
        fetch("wise", tmp_path / "data", lambda said: None)
    assert not (tmp_path / "data" / "script.py").exists()


def test_a_suite_without_files_says_where_its_data_are():
    with pytest.raises(EvalkitError, match="pie has no files to fetch"):
        fetch("pie")
