"""Whatever is wrong with a weight file, the command line says it in one sentence and leaves with 2."""

import json
import os
import pickle
import zipfile
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

from evalkit.cli import main
from evalkit.tokenizers.registry import TOKENIZERS

TINY = {
    "llamagen-vq16": lambda c: replace(c, mult=(1, 2), codes=50, code_dim=4, ch=32, blocks=1, z=32),
    "taming-f16-1024": lambda c: replace(
        c, net=replace(c.net, ch=32, mult=(1, 2), blocks=1, z=32), codes=50, code_dim=8
    ),
}
WRAPPING = {"llamagen-vq16": "model", "taming-f16-1024": "state_dict"}


class Acts:
    """A pickle that would write a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


@pytest.fixture(params=sorted(TINY))
def case(request, monkeypatch):
    """(name, wrapping, state) of a small network under a real name."""
    name = request.param
    entry = TOKENIZERS.get(name)
    small = replace(entry, config=TINY[name](entry.config))
    monkeypatch.setitem(TOKENIZERS._items, name, small)
    torch.manual_seed(0)
    return name, WRAPPING[name], small.cls.build(small.config).state_dict()


@pytest.fixture
def say(monkeypatch, capsys, tmp_path):
    """Run the command line with a weight file; its exit code and what it said."""
    monkeypatch.setenv("EVALKIT_OFFLINE", "1")
    for when in ("cli.progress.SOON", "jobs.engine_inline.LONG"):  # on a busy machine nothing is said of the time
        monkeypatch.setattr(f"evalkit.{when}", 1e9)

    def run(name, path):
        arguments = ["evalkit", "tokenizer", "-m", name, "--weights", str(path), "-d", "sample/photos"]
        arguments += ["--tasks", "reconstruction", "--limit", "1", "--device", "cpu", "--out", str(tmp_path / "run")]
        monkeypatch.setattr("sys.argv", arguments)
        with pytest.raises(SystemExit) as left:
            main()
        said = capsys.readouterr().err.strip()
        assert "Traceback" not in said
        assert said.count("\n") == 0
        return left.value.code, said

    return run


def write(path, wrapping, state):
    torch.save({wrapping: state}, path)
    return path


def test_the_right_file_works(case, say, tmp_path):
    name, wrapping, state = case
    assert say(name, write(tmp_path / "good.pt", wrapping, state))[0] == 0


def test_a_missing_key_is_named(case, say, tmp_path):
    name, wrapping, state = case
    gone = next(key for key in state if key.startswith("decoder"))
    code, said = say(name, write(tmp_path / "w.pt", wrapping, {k: v for k, v in state.items() if k != gone}))
    assert code == 2
    assert "1 parameters are missing" in said
    assert gone in said
    assert f"evalkit weights list {name}" in said


def test_a_wrong_shape_is_named_with_both_shapes(case, say, tmp_path):
    name, wrapping, state = case
    key = next(key for key in state if key.startswith("decoder") and state[key].ndim == 4)
    code, said = say(name, write(tmp_path / "w.pt", wrapping, {**state, key: torch.zeros(2, 3)}))
    assert code == 2
    assert f"{key} is (2, 3)" in said
    assert "expected" in said


def test_a_pickle_that_would_run_something_is_refused_and_nothing_runs(case, say, tmp_path):
    name, wrapping, state = case
    path, mark = tmp_path / "w.pt", tmp_path / "was here"
    torch.save({wrapping: state, "config": Acts(mark)}, path)
    code, said = say(name, path)
    assert code == 2
    assert "was refused" in said
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(Acts(mark)))
    assert say(name, tmp_path / "plain.pt")[0] == 2
    assert not mark.exists()


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_a_truncated_file_is_to_be_fetched_again(case, say, tmp_path, suffix):
    name, wrapping, state = case
    path = tmp_path / f"w{suffix}"
    if suffix == ".pt":
        write(path, wrapping, state)
    else:
        save_file({k: v.contiguous() for k, v in state.items()}, path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    code, said = say(name, path)
    assert code == 2
    assert "not a whole" in said
    assert "etch it again" in said
    assert "codec" not in said


@pytest.mark.parametrize("wrapped", ["as its own", "as expected"])
def test_the_right_file_of_another_model_does_not_fit(case, say, tmp_path, wrapped):
    name, wrapping, _ = case
    other = next(each for each in TINY if each != name)
    entry = TOKENIZERS.get(other)
    state = entry.cls.build(TINY[other](entry.config)).state_dict()
    key = WRAPPING[other] if wrapped == "as its own" else wrapping
    code, said = say(name, write(tmp_path / "w.pt", key, state))
    assert code == 2
    assert f"does not fit {name}" in said
    assert "parameters are missing" in said
    assert wrapped == "as its own" or "are not known to it" in said


@pytest.mark.parametrize(
    ("suffix", "data", "words"),
    [
        (".pt", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "git lfs pull"),
        (".safetensors", b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (".pt", b"<!DOCTYPE html><html>sign in</html>", "web page"),
        (".pt", b"", "not a whole"),
        (".safetensors", b"", "not a whole"),
        (".safetensors", json.dumps({"weights": 1}).encode(), "not a whole"),
    ],
)
def test_what_is_no_weight_file_is_called_by_its_name(case, say, tmp_path, suffix, data, words):
    path = tmp_path / f"w{suffix}"
    path.write_bytes(data)
    code, said = say(case[0], path)
    assert code == 2
    assert words in said


def test_a_zip_of_something_else_and_an_empty_folder_are_refused(case, say, tmp_path):
    with zipfile.ZipFile(tmp_path / "w.pt", "w") as archive:
        archive.writestr("readme.txt", "hello")
    assert say(case[0], tmp_path / "w.pt")[0] == 2
    (tmp_path / "folder").mkdir()
    code, said = say(case[0], tmp_path / "folder")
    assert code == 2
    assert "does not hold it" in said
    code, said = say(case[0], tmp_path / "nowhere.pt")
    assert code == 2
    assert "is not there" in said


def test_without_any_weights_the_file_its_source_and_the_flag_are_named(say, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("EVALKIT_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["evalkit", "tokenizer", "--model", "llamagen-vq16"])
    with pytest.raises(SystemExit) as left:
        main()
    said = capsys.readouterr().err
    assert left.value.code == 2
    assert "vq_ds16_c2i.pt" in said
    assert "huggingface.co/FoundationVision/LlamaGen" in said
    assert "--weights" in said
