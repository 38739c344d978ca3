import json

from click.testing import CliRunner

from evalkit.cli.power import power


def run(*arguments):
    done = CliRunner().invoke(power, arguments)
    assert done.exit_code == 0, done.output
    return done.output


def test_a_plan_in_words():
    said = run("--mde", "0.02", "--p", "0.6", "--per-prompt", "4", "--icc", "0.5", "--systems", "3")
    assert "prompts of 4 samples" in said
    assert "3 pairs share it" in said
    assert "design effect 2.50" in said


def test_a_plan_as_json_reaches_its_power():
    made = json.loads(run("--mde", "0.3", "--measure", "mean", "--sd", "4", "--json"))
    assert made["power"] >= 0.8
    assert made["study"]["sd"] == 4


def test_what_given_prompts_can_find():
    assert "553 prompts find" in run("--mde", "0.02", "--p", "0.6", "--prompts", "553")
    found = json.loads(run("--mde", "0.02", "--p", "0.6", "--prompts", "553", "--json"))
    assert found["finds"] > 0.02
    assert CliRunner().invoke(power, ["--mde", "0.1", "--prompts", "1"]).exit_code == 1
