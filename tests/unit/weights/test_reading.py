import argparse
import os
import pickle
import subprocess

import pytest
import torch
from safetensors.torch import save_file

from evalkit.errors import WeightsError
from evalkit.weights.reading import file_sha256, read_checkpoint

TENSOR = {"w": torch.arange(6.0).reshape(2, 3)}


class Runs:
    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return self.call


class Config:
    """Stands for a research project's own configuration class."""

    def __init__(self):
        self.size = 3


def test_safetensors_and_pickles_give_their_tensors(tmp_path):
    save_file(TENSOR, tmp_path / "a.safetensors")
    torch.save({"model": TENSOR, "epoch": 3}, tmp_path / "a.pt")
    assert torch.equal(read_checkpoint(tmp_path / "a.safetensors")["w"], TENSOR["w"])
    assert torch.equal(read_checkpoint(tmp_path / "a.pt")["model"]["w"], TENSOR["w"])


def test_the_shards_of_a_folder_are_read_together(tmp_path):
    save_file({"a": TENSOR["w"]}, tmp_path / "model-1.safetensors")
    save_file({"b": TENSOR["w"] + 1}, tmp_path / "model-2.safetensors")
    save_file({"c": TENSOR["w"]}, tmp_path / "other.safetensors")
    index = tmp_path / "model.safetensors.index.json"
    index.write_text('{"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}')
    read = read_checkpoint(tmp_path)
    assert set(read) == {"a", "b"}
    assert torch.equal(read["b"], TENSOR["w"] + 1)


@pytest.mark.parametrize("text", [None, "{}", "no json", "[1]", '{"weight_map": {"a": "absent.safetensors"}}'])
def test_a_folder_without_a_whole_index_is_one_sentence(tmp_path, text):
    if text is not None:
        (tmp_path / "model.safetensors.index.json").write_text(text)
    with pytest.raises(WeightsError, match="Fetch it again"):
        read_checkpoint(tmp_path)


def test_the_old_file_format_is_read_too(tmp_path):
    torch.save(TENSOR, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert torch.equal(read_checkpoint(tmp_path / "old.pth")["w"], TENSOR["w"])


@pytest.mark.parametrize("zipped", [True, False])
def test_foreign_configuration_objects_become_inert_stubs(tmp_path, zipped):
    path = tmp_path / "a.pt"
    held = {"model": TENSOR, "args": argparse.Namespace(lr=1.0), "config": Config()}
    torch.save(held, path, _use_new_zipfile_serialization=zipped)
    loaded = read_checkpoint(path)
    assert torch.equal(loaded["model"]["w"], TENSOR["w"])
    assert type(loaded["config"]) is not Config
    assert type(loaded["args"]) is not argparse.Namespace


@pytest.mark.parametrize(
    "call",
    [(os.system, ("touch PWNED",)), (eval, ("open('PWNED', 'w')",)), (subprocess.Popen, (["touch", "PWNED"],))],
)
@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_that_wants_to_run_something_is_refused_and_nothing_runs(tmp_path, monkeypatch, call, zipped):
    monkeypatch.chdir(tmp_path)
    torch.save({"model": TENSOR, "x": Runs(*call)}, "evil.pt", _use_new_zipfile_serialization=zipped)
    with pytest.raises(WeightsError, match=r"was refused: reading it would run") as caught:
        read_checkpoint(tmp_path / "evil.pt")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "PWNED").exists()


def test_a_plain_pickle_that_runs_something_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evil.pt").write_bytes(pickle.dumps(Runs(os.system, ("touch PWNED",))))
    with pytest.raises(WeightsError):
        read_checkpoint(tmp_path / "evil.pt")
    assert not (tmp_path / "PWNED").exists()


@pytest.mark.parametrize("share", [0.1, 0.5, 0.98])
@pytest.mark.parametrize("kind", ["pt", "safetensors"])
def test_a_truncated_file_is_one_sentence(tmp_path, kind, share):
    whole, cut = tmp_path / f"a.{kind}", tmp_path / f"cut.{kind}"
    big = {"w": torch.zeros(100, 100)}
    save_file(big, whole) if kind == "safetensors" else torch.save(big, whole)
    data = whole.read_bytes()
    cut.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(WeightsError, match=r"not a whole|cannot be read"):
        read_checkpoint(cut)


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04 not a zip"])
def test_rubbish_is_one_sentence(tmp_path, content):
    path = tmp_path / "a.pt"
    path.write_bytes(content)
    with pytest.raises(WeightsError):
        read_checkpoint(path)


def test_a_pickle_of_something_else_says_what_it_holds(tmp_path):
    torch.save([1, 2], tmp_path / "a.pt")
    with pytest.raises(WeightsError, match="holds a list"):
        read_checkpoint(tmp_path / "a.pt")


def test_digests_of_files_and_folders(tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a").write_bytes(b"1")
    before = file_sha256(tmp_path / "d")
    assert len(file_sha256(tmp_path / "d" / "a")) == 64
    (tmp_path / "d" / "a").write_bytes(b"2")
    assert file_sha256(tmp_path / "d") != before
