"""Steps of a training as the command line takes them."""

import click
import pytest

from evalkit.cli.track import _numbers


@pytest.mark.parametrize("text", ["1,nan", "inf", "1,1e999", "a", "1,,2"])
def test_steps_that_are_no_finite_numbers_are_refused(text):
    with pytest.raises(click.UsageError, match="are no numbers"):
        _numbers(text)


def test_steps_are_numbers_or_none():
    assert _numbers("1000,2e3") == [1000.0, 2000.0]
    assert _numbers(None) == []
