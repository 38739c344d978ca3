"""The flags that say which mark is meant."""

from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner

from evalkit.cli.watermark_options import MarkChoice, choose, mark_options
from evalkit.errors import EvalkitError
from evalkit.tokenizers.registry import load_tokenizer
from evalkit.watermark.keys import new_key
from evalkit.watermark.methods import MarkSpec, Several, mark_for, write_mark


@click.command()
@mark_options
def command(choice: MarkChoice) -> None:
    click.echo(f"{choice.specs} {choice.key_spec} {choice.tokenizer}")


@pytest.fixture
def key(tmp_path: Path) -> Path:
    new_key(tmp_path / "k")
    return tmp_path / "k"


def test_flags_become_a_spec(key: Path) -> None:
    flags = ["--key", str(key), "--lists", "8", "--gamma", "0.25", "--epoch", "a", "--tokenizer", "world-vq"]
    done = CliRunner().invoke(command, flags, catch_exceptions=False)
    assert str(MarkSpec(lists=8, gamma=0.25, epoch="a")) in done.output
    assert done.output.endswith(f"{key} world-vq\n")


def test_no_key_no_tokenizer_and_contradictions_are_said(key: Path, tmp_path: Path) -> None:
    with pytest.raises(EvalkitError, match="Give --key FILE"):
        choose({}, key=None)
    with pytest.raises(EvalkitError, match="Give --tokenizer NAME"):
        choose({}, key=str(key)).tokenizer_name  # noqa: B018
    world = load_tokenizer("world-vq", device="cpu")
    mark = mark_for(MarkSpec(lists=2), choose({}, key=str(key)).key(), world)
    write_mark(tmp_path / "mark.json", mark)
    with pytest.raises(EvalkitError, match="says lists 2, --lists 4"):
        choose({"lists": 4}, key=str(key), mark=str(tmp_path))
    choice = choose({"lists": 2, "cap": None}, key=str(key), mark=str(tmp_path))
    assert choice.tokenizer_name == "world-vq"
    assert choice.build(world).as_dict() == mark.as_dict()
    new_key(tmp_path / "other")
    with pytest.raises(EvalkitError, match="was made with the key"):
        choose({}, key=str(tmp_path / "other"), mark=str(tmp_path)).key()


def test_several_epochs_and_a_histogram_become_one_mark(key: Path, tmp_path: Path) -> None:
    world = load_tokenizer("world-vq", device="cpu")
    np.save(tmp_path / "f.npy", np.arange(world.vocab_size or 0))
    choice = choose({"kind": "paired"}, key=str(key), epochs=("a", "b", "a"), frequencies=tmp_path / "f.npy")
    mark = choice.build(world)
    assert isinstance(mark, Several)
    assert [each.as_dict()["epoch"] for each in mark.marks] == ["a", "b"]
