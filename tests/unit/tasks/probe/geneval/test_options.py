import pytest

from evalkit.errors import EvalkitError
from evalkit.tasks.probe.geneval.options import RuleOptions, options_of


def test_the_defaults_are_official_and_changes_are_named():
    assert RuleOptions().is_official
    changed = options_of({"threshold": 0.5})
    assert changed.changed == {"threshold": 0.5}
    assert (changed.above("two_object"), changed.above("counting")) == (0.5, 0.9)


@pytest.mark.parametrize(
    "odd",
    [
        {"threshold": 1.5},
        {"threshold": float("nan")},
        {"max_objects": 0},
        {"max_objects": 1.5},
        {"max_overlap": -1},
        {"position_threshold": -0.1},
        {"threshold": True},
        {"treshold": 0.3},
    ],
)
def test_values_that_cannot_be_are_refused(odd):
    with pytest.raises(EvalkitError):
        options_of(odd)
