"""A run under another tokenizer's name, with weights that nobody knows, gives itself away by its codes."""

from dataclasses import replace

import pytest

from evalkit.jobs.options import RunOptions
from evalkit.provenance.shape import shape_failures
from evalkit.tasks.tokenizer import evaluate_tokenizer


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    options = RunOptions(out=tmp_path_factory.mktemp("shape") / "run", device="cpu", limit=2)
    (made,) = evaluate_tokenizer("world-vq", "sample/photos", tasks=["reconstruction"], options=options)
    return made


def claimed(run, name, **model):
    """The run as if it were one of `name`, at the side that the named model is fed."""
    record = {**run.record, "model": {**run.record["model"], "name": name, **model}}
    return [each.reason for each in shape_failures(replace(run, record=record))]


def test_an_honest_run_has_no_failure(run):
    assert claimed(run, "world-vq") == []


def test_another_vocabulary_is_found(run):
    assert "not 1024" in claimed(run, "llamagen-vq16")[0]


def test_another_number_of_codes_is_found_where_the_vocabulary_was_rewritten_too(run):
    found = claimed(run, "llamagen-vq16", vocab_size=16384)
    assert any("rows say 64" in each for each in found)


def test_other_bits_are_found_where_numbers_of_codes_agree(run):
    rows = run.samples.set_column(run.samples.column_names.index("codes"), "codes", [[16, 16]])
    found = claimed(replace(run, samples=rows), "llamagen-vq16", vocab_size=16384)
    assert any("bits a pixel" in each for each in found)


@pytest.mark.parametrize("name", ["jpeg-q75", "no-such-model", "../../etc"])
def test_a_name_without_a_network_says_nothing(run, name):
    assert claimed(run, name) == []
