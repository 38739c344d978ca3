"""`evalkit ls generators`: every route with its licence and what it needs."""

import json

import pytest
from click.testing import CliRunner

from evalkit.cli import group
from evalkit.cli.routes import routes
from evalkit.generators.endpoints import served_models
from evalkit.generators.workers import known_workers


def test_every_model_says_how_it_runs_under_what_licence_and_what_it_needs():
    found = routes()
    assert {each.route for each in found} == {"native", "library", "endpoint", "worker"}
    assert all(each.licence and each.needs and each.type and each.draws for each in found)
    kinds = {each.name: each.route for each in found}
    assert kinds["var-d16"] == kinds["world-ar"] == "native"
    assert kinds["janus-pro-1b"] == kinds["dit"] == "library"
    assert kinds["orthus"] == "worker"
    assert {each.name for each in found if each.route == "endpoint"} == set(served_models())
    assert {each.name for each in found if each.route == "worker"} == set(known_workers())


def test_a_pattern_chooses_and_json_holds_the_same():
    result = CliRunner().invoke(group, ["ls", "generators", "infinity*", "--json"])
    said = json.loads(result.output)
    assert [each["name"] for each in said] == [each.name for each in routes("infinity*")]
    assert all(each["licence"] == "MIT" for each in said)
    assert "endpoint" in CliRunner().invoke(group, ["ls", "generators", "qwen*"]).output


@pytest.mark.parametrize(
    "kind", ["tokenizers", "generators", "probes", "protocols", "metrics", "encoders", "extractors"]
)
def test_a_pattern_that_nothing_is_like_says_what_lists_all(run, kind):
    code, _, err = run("ls", kind, "zzz")
    assert code == 2
    assert f"none of the {kind} is named like 'zzz'; list all with: evalkit ls {kind}" in err


def test_a_word_finds_what_an_alias_or_a_part_of_a_name_says():
    assert "gigatok-bl = gigatok" in CliRunner().invoke(group, ["ls", "tokenizers", "gigatok"]).output
    listed = json.loads(CliRunner().invoke(group, ["ls", "metrics", "fid", "--json"]).output)
    assert set(listed) >= {"fid", "sfid"}
    assert "psnr" not in listed
