"""Numbers on the command line: no NaN anywhere, infinity only where it means something, and stated maxima."""

import os

import click
import pytest
from click.testing import CliRunner

from evalkit.cli import group
from evalkit.cli.numbers import Finite
from evalkit.images.hashing import REHASH

VERBS = ("tokenizer", "generate", "power")
WATERMARK = ("embed", "detect", "calibrate", "attack", "robustness", "power")


def options():
    root = click.Context(group)
    watermark = group.get_command(root, "watermark")
    commands = [group.get_command(root, verb) for verb in VERBS]
    commands += [watermark.get_command(root, verb) for verb in WATERMARK]
    for command in commands:
        for option in command.params:
            yield command.name, option


def test_every_number_with_a_fraction_refuses_nan_and_most_refuse_infinity():
    floats = [(name, option) for name, option in options() if isinstance(option.type, click.types.FloatParamType)]
    assert len(floats) > 20
    for name, option in floats:
        assert isinstance(option.type, Finite), f"{name} {option.name}"
        with pytest.raises(click.BadParameter):
            option.type.convert("nan", option, None)
        if option.name != "delta":
            with pytest.raises(click.BadParameter):
                option.type.convert("inf", option, None)


@pytest.mark.parametrize("name", ["size", "side", "batch_size", "threads", "samples", "steps"])
def test_what_takes_memory_has_a_largest_value(name):
    found = [option for _, option in options() if option.name == name]
    assert found
    for option in found:
        with pytest.raises(click.BadParameter):
            option.type.convert("100000000", option, None)


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
