"""Numbers on the command line: no NaN anywhere, infinity only where it means something, and stated maxima."""

import os

import click
import pytest
from click.testing import CliRunner

from evalkit.cli import group
from evalkit.cli.numbers import Finite
from evalkit.images.hashing import REHASH


def commands(command, context, words=()):
    """(words, command) of every command below."""
    if not isinstance(command, click.Group):
        yield " ".join(words), command
        return
    for name in command.list_commands(context):
        below = command.get_command(context, name)
        yield from commands(below, click.Context(below, parent=context), (*words, name))


def options():
    for words, command in commands(group, click.Context(group)):
        for option in command.params:
            yield words, option


def test_every_number_with_a_fraction_refuses_nan_and_most_refuse_infinity():
    floats = [(name, option) for name, option in options() if isinstance(option.type, click.types.FloatParamType)]
    assert len(floats) > 20
    for name, option in floats:
        assert isinstance(option.type, Finite), f"{name} {option.name}"
        with pytest.raises(click.BadParameter):
            option.type.convert("nan", option, None)
        if not option.type.infinite:
            with pytest.raises(click.BadParameter):
                option.type.convert("inf", option, None)


def test_help_shows_bounds_where_there_are_some():
    for words, option in options():
        if isinstance(option, click.Option):
            assert "None" not in (option.get_help_record(click.Context(click.Command(words))) or ("", ""))[1], words


@pytest.mark.parametrize("name", ["size", "side", "batch_size", "threads", "steps"])
def test_what_takes_memory_has_a_largest_value(name):
    found = [option for words, option in options() if option.name == name and not words.startswith("erasure train")]
    assert found
    for option in found:
        with pytest.raises(click.BadParameter):
            option.type.convert("100000000", option, None)


def test_no_number_that_is_counted_with_is_beyond_a_machine_s():
    found = [(words, each) for words, each in options() if isinstance(each.type, click.types.IntParamType)]
    assert len(found) > 100
    for words, option in found:
        if option.name != "seed" or isinstance(option.type, click.IntRange):  # any whole number is a seed
            with pytest.raises(click.BadParameter):
                option.type.convert(str(10**12), option, None)
                pytest.fail(f"{words} {option.name}")


@pytest.mark.parametrize(
    "arguments",
    [
        ["tokenizer", "-m", "jpeg-lm", "--size", "100000"],
        ["tokenizer", "-m", "jpeg-lm", "--batch-size", "0"],
        ["tokenizer", "-m", "jpeg-lm", "--batch-size", "٣"],
        ["generate", "-m", "world-ar", "-p", "text:x", "--guidance", "nan"],
        ["generate", "-m", "world-ar", "-p", "text:x", "--temperature", "inf"],
    ],
)
def test_a_number_out_of_bounds_is_refused_before_any_work(arguments, tmp_path):
    done = CliRunner().invoke(group, [*arguments, "--out", str(tmp_path / "run")])
    assert done.exit_code == 2
    assert not (tmp_path / "run").exists()


def test_rehash_holds_for_its_command_only(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "evalkit.tasks.tokenizer.evaluate_tokenizer", lambda *a, **k: seen.append(os.environ.get(REHASH)) or []
    )
    for flags in (["--rehash"], []):
        CliRunner().invoke(group, ["tokenizer", "-m", "jpeg-lm", *flags])
    assert seen == ["1", None]
    assert REHASH not in os.environ
