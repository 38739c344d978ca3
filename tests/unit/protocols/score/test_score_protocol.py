import pytest

from evalkit.errors import EvalkitError
from evalkit.metrics.rules import BallRule, SplitRule, SubsetRule
from evalkit.protocols.protocol import different_fields
from evalkit.protocols.score import load_score_protocol, score_protocol_ids

IDS = score_protocol_ids()


def test_the_protocols_are_there_and_the_default_is_first():
    assert IDS == ("evalkit-1", "adm", "clean", "pytorch-fid", "stylegan-v", "torch-fidelity", "videogpt")


@pytest.mark.parametrize("name", IDS)
def test_a_protocol_is_named_like_its_file_and_has_a_source(name):
    protocol = load_score_protocol(name)
    assert protocol.id == name
    assert protocol.source
    assert protocol.network.name == ("inception-v3-fid" if protocol.clips is None else "i3d-kinetics400")


def test_each_definition_has_a_digest_of_its_own():
    assert len({load_score_protocol(name).sha256 for name in IDS}) == len(IDS)


def test_the_sources_rules_are_the_published_ones():
    adm, fidelity, clean = (load_score_protocol(name) for name in ("adm", "torch-fidelity", "clean"))
    assert adm.splits == SplitRule(chunk=5000, shuffle=None)
    assert adm.balls == fidelity.balls == BallRule(3, True)
    assert adm.subsets is None
    assert fidelity.splits == SplitRule(10, None, 2020)
    assert fidelity.subsets == SubsetRule(100, 1000, "refuse", "images first", 2020)
    assert clean.subsets == SubsetRule(100, 1000, "whole", "reference first", 0)
    assert clean.network.resize == "bicubic-float"
    assert load_score_protocol("pytorch-fid").network.scale == "v / 127.5 - 1"


def test_differences_name_the_fields():
    rows = {
        field: (a, b) for field, a, b in different_fields(*(load_score_protocol(i).as_dict() for i in ("adm", "clean")))
    }
    assert rows["network.resize"] == ("tf1-bilinear", "bicubic-float")


def test_an_unknown_protocol_proposes_the_nearest():
    with pytest.raises(EvalkitError, match="did you mean torch-fidelity"):
        load_score_protocol("torch_fidelity")
    with pytest.raises(EvalkitError, match="known: evalkit-1, adm"):
        load_score_protocol("zzz")
