import pytest

from evalkit.errors import EvalkitError
from evalkit.images.geometry import METHODS
from evalkit.protocols import differences, load_protocol, protocol_ids


@pytest.mark.parametrize("id", protocol_ids())
def test_every_protocol_parses_and_its_file_name_is_its_id(id):
    protocol = load_protocol(id)
    assert protocol.id == id
    assert protocol.input.method in METHODS
    assert len(protocol.sha256) == 64


def test_the_default_comes_first_and_has_no_quirks():
    assert protocol_ids()[0] == "evalkit-1"
    assert load_protocol("evalkit-1").quirks == ()


def test_every_quirk_names_the_metrics_that_it_moves():
    for id in protocol_ids():
        for quirk in load_protocol(id).quirks:
            assert quirk.moves
            assert quirk.text


def test_unknown_protocol_proposes_the_nearest():
    with pytest.raises(EvalkitError, match="did you mean vtbench-2025"):
        load_protocol("vtbench-2024x")


def test_a_protocol_does_not_differ_from_itself():
    assert differences(load_protocol("evalkit-1"), load_protocol("evalkit-1")) == []


def test_differences_are_symmetric_and_name_the_rule():
    a, b = load_protocol("evalkit-1"), load_protocol("vtbench-2025")
    forward, backward = differences(a, b), differences(b, a)
    assert {key for key, _, _ in forward} == {key for key, _, _ in backward}
    assert ("psnr.aggregate", "mean", "pooled") in forward
