"""Rewritten prompts: found by their ids, kept beside the original ones, counted in the record and kept in the rows."""

import json

import pytest

from evalkit.errors import EvalkitError
from evalkit.jobs.options import RunOptions
from evalkit.prompts.load import load_prompts
from evalkit.prompts.rewrite import rewritten_count, with_rewritten
from evalkit.tasks.generate import generate_images


def lines(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def asked(tmp_path):
    return lines(tmp_path / "p.jsonl", {"id": "a", "prompt": "a dog", "tag": 1}, {"id": "b", "prompt": "a red apple"})


@pytest.fixture
def again(tmp_path):
    return lines(tmp_path / "r.jsonl", {"id": "b", "prompt": "a shiny apple"}, {"id": "a", "prompt": "a large dog"})


def test_prompts_are_found_by_id_and_keep_their_own_text(asked, again):
    found = with_rewritten(load_prompts(asked), again)
    assert [(p.id, p.prompt, p.meta["original_prompt"]) for p in found.prompts] == [
        ("a", "a large dog", "a dog"),
        ("b", "a shiny apple", "a red apple"),
    ]
    assert found.prompts[0].meta["tag"] == 1
    assert rewritten_count(found) == 2
    assert rewritten_count(load_prompts(asked)) == 0


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"id": "a", "prompt": "x"}], "lacks 1 prompts, such as 'b'"),
        ([{"id": i, "prompt": "x"} for i in "abc"], "holds 'c' besides"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(asked, tmp_path, rows, said):
    with pytest.raises(EvalkitError, match=said):
        with_rewritten(load_prompts(asked), lines(tmp_path / "r.jsonl", *rows))


def test_a_run_draws_the_rewritten_prompts_and_says_so(asked, again, tmp_path):
    options = RunOptions(out=tmp_path / "run", device="cpu", limit=1)
    run = generate_images("world-ar", asked, rewrite=again, options=options)
    assert run.samples["prompt"].to_pylist() == ["a large dog"]
    assert json.loads(run.samples["meta"][0].as_py())["original_prompt"] == "a dog"
    assert json.loads((run.path / "plan.json").read_text())["parameters"]["rewritten"] == 2
