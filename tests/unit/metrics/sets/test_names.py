"""Names of scores: a group is what the protocol defines of it."""

import pytest

from evalkit.errors import EvalkitError
from evalkit.metrics.sets.names import chosen_metrics
from evalkit.protocols.score import load_score_protocol


@pytest.mark.parametrize(
    ("protocol", "expected"),
    [
        ("evalkit-1", ("fid", "precision", "recall", "density", "coverage")),
        ("torch-fidelity", ("fid", "precision", "recall")),
        ("adm", ("fid", "precision", "recall")),
    ],
)
def test_a_group_is_those_of_its_metrics_that_the_protocol_defines(protocol, expected):
    assert chosen_metrics(["fid", "prdc"], load_score_protocol(protocol), reference=True) == expected


def test_a_metric_that_is_named_itself_must_be_defined():
    with pytest.raises(EvalkitError, match="does not define density"):
        chosen_metrics(["density"], load_score_protocol("adm"), reference=True)
    with pytest.raises(EvalkitError, match="does not define"):
        chosen_metrics(["prdc_efflite0"], load_score_protocol("adm"), reference=True)


def test_vqascore_is_found_where_it_is():
    with pytest.raises(EvalkitError, match="Type evalkit probe vqascore --images DATA"):
        chosen_metrics(["vqascore"], load_score_protocol("evalkit-1"), reference=False)
