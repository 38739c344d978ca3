import re

import pytest
from click.testing import CliRunner

from evalkit.cli import group
from evalkit.cli.dry_run import CHECKS, check_line, parse_line
from evalkit.errors import EvalkitError
from evalkit.systems import list_systems, load_system
from evalkit.systems.measures import MEASURES
from evalkit.systems.plan import needed_weights, not_taken, taken

CARDS = list_systems()
each = pytest.mark.parametrize("card", CARDS, ids=[card.id for card in CARDS])


@each
def test_every_command_of_a_plan_is_understood_and_every_name_in_it_exists(card):
    for step in card.steps:
        if step.command:
            verb = check_line(step.command).verb
            assert verb in CHECKS, f"the names that {verb} takes are not looked up"


@each
def test_words_in_capitals_in_a_plan_are_explained_by_the_card(card):
    for step in card.steps:
        for word in re.findall(r"(?<![\w./])[A-Z][A-Z_0-9]{3,}(?:\.jsonl)?(?![\w])", step.command or step.outside):
            assert re.search(rf"\b{re.escape(word)}", f"{card.data} {card.hardware}"), word


@each
def test_steps_write_to_folders_of_their_own(card):
    outs = [parse_line(step.command).parameters.get("out") for step in card.steps if step.command]
    outs = [out for out in outs if out is not None]
    assert len(outs) == len(set(outs))


@each
def test_what_a_later_step_reads_was_made_by_an_earlier_one(card):
    made: list[str] = []
    for step in card.steps:
        for folder in re.findall(r"runs/[\w.-]+", re.sub(r"--out runs/\S+", "", step.command or step.outside)):
            assert folder in made, f"{folder} is made by no step before"
        made += re.findall(r"--out (runs/[\w.-]+)", step.command)


@each
def test_a_measure_is_taken_or_not(card):
    assert set(taken(card)) | set(not_taken(card)) == set(card.measures)
    assert not set(taken(card)) & set(not_taken(card))


@each
def test_what_is_reported_of_image_sets_and_prompts_is_scored_by_evalkit(card):
    """FID, Inception score, CLIPScore and their like: a step takes them, and nothing outside does."""
    wanted = {MEASURES[name].metric.name for name, where in taken(card).items() if where.startswith("score:")}
    wanted &= {"fid", "sfid", "is", "precision", "clipscore", "fvd"}
    lines = [parse_line(step.command) for step in card.steps if step.command.startswith("evalkit score ")]
    scored = {name for line in lines for name in (line.parameters.get("metrics") or "").split(",")}
    assert wanted <= scored
    assert not wanted or not any(step.outside for step in card.steps)


def test_reconstructions_are_taken_of_tokenizers_that_decode_only():
    assert "rfid" in taken(load_system("gigatok"))
    assert not any(where.startswith("tokenizer") for where in taken(load_system("digit")).values())


def test_the_weights_of_a_plan_are_those_of_its_models_and_of_their_tokenizers(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    files = {each.file for each in needed_weights(["var-d30"])}
    assert files == {"var_d30.pth", "vae_ch160v4096z32.pth"} or len(files) == 2
    assert {each.state for each in needed_weights(["var-d30"])} <= {"missing", "present"}
    assert needed_weights(["janus-pro-7b"]) == []
    assert needed_weights(["folder:PICTURES"]) == []


def test_a_parsed_command_still_has_its_short_help():
    check_line("evalkit watermark detect PHOTOS --key my.key --tokenizer var")
    for verb in (["watermark", "detect"], ["tokenizer"]):
        assert CliRunner().invoke(group, [*verb, "-h"]).exit_code == 0


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("python x.py", "no command of evalkit"),
        ("evalkit fly", "there is no 'fly'"),
        ("evalkit weights fly", "there is no 'weights fly'"),
        ("evalkit weights", "there is no 'weights '"),
        ("evalkit tokenizer --modell x", "No such option"),
        ("evalkit generate --model var-d16 --samples none", "not a valid"),
    ],
)
def test_a_line_that_evalkit_would_not_understand_is_refused(line, said):
    with pytest.raises(EvalkitError, match=said):
        parse_line(line)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("evalkit tokenizer --model gigatoc", "no tokenizer called 'gigatoc'"),
        ("evalkit tokenizer --model var --protocol mine", "mine"),
        ("evalkit tokenizer --model var --features nothing", "nothing"),
        ("evalkit tokenizer --model var --tasks looks", "no task called 'looks'"),
        ("evalkit generate --model var-d99 --prompts world", "var-d99"),
        ("evalkit generate --model var-d16 --prompts nowhere", "nowhere"),
        ("evalkit generate --model world-ar --prompts world --accelerate faster:length=2", "faster"),
        ("evalkit generate --model world-ar --prompts world --accelerate gsd:width=2", "gsd takes"),
        ("evalkit generate --model mar-h --prompts classes:imagenet --accelerate cspd:draft=mar-x", "mar-x"),
        ("evalkit watermark embed --model var-d99 --prompts world --delta 2", "var-d99"),
        ("evalkit watermark detect PHOTOS --tokenizer vaar", "vaar"),
        ("evalkit watermark attack PHOTOS --attack jpg:75", "jpg"),
        ("evalkit watermark robustness PHOTOS --tokenizer var --attack wavess --out x", "wavess"),
        ("evalkit weights fetch nothing-of-this-name", "nothing-of-this-name"),
        ("evalkit protocol show mine", "mine"),
        ("evalkit protocol diff evalkit-1 mine", "mine"),
        ("evalkit systems plan gigatoc", "gigatoc"),
        ("evalkit score --images A --paired B --metrics psnrr", "psnrr does not compare"),
        ("evalkit score --images A --metrics nll --model var-d99", "var-d99"),
        ("evalkit score --images A --reference B --protocol stylegan-v --metrics fid", "does not define fid"),
    ],
)
def test_a_name_that_does_not_exist_is_found(line, said):
    with pytest.raises(EvalkitError, match=said):
        check_line(line)
