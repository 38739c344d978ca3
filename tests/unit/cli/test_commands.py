import json
import re

import click
import pytest
from click.testing import CliRunner

from evalkit.cli import VERBS, group, main


def run(*arguments, **kwargs):
    return CliRunner().invoke(group, list(arguments), catch_exceptions=False, **kwargs)


def typed(monkeypatch, capsys, *arguments):
    monkeypatch.setattr("sys.argv", ["evalkit", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    out = capsys.readouterr()
    return caught.value.code, out.out, out.err


@pytest.fixture(autouse=True)
def _offline(monkeypatch):
    monkeypatch.setenv("EVALKIT_OFFLINE", "1")


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_every_verb_has_help_and_most_show_an_example_on_the_first_screen(verb):
    for flag in ("-h", "--help"):
        shown = run(verb, flag)
        assert shown.exit_code == 0, shown.output
        assert f"evalkit {verb}" in "\n".join(shown.output.splitlines()[:24])


def commands(command, path=(), context=None):
    """Every command below a group, with the words that it is typed by."""
    context = click.Context(command, info_name=path[-1] if path else "evalkit", parent=context)
    if isinstance(command, click.Group):
        suites = ["geneval"] if path == ("probe",) else []  # a suite is no sub-command that is listed
        for name in [*command.list_commands(context), *suites]:
            yield from commands(command.get_command(context, name), (*path, name), context)
    yield path, command, context


def test_every_option_says_what_it_does_and_examples_have_options_that_exist():
    found, examples = list(commands(group)), 0
    known = {path: command for path, command, _ in found}
    for path, command, _ in found:
        silent = [each.opts for each in command.params if isinstance(each, click.Option) and not each.help]
        assert not silent, path
        lines = [line.strip() for line in (command.help or "").splitlines() if line.strip().startswith("evalkit ")]
        assert lines or path == ("probe",), path
        for words in (re.split(r"  +", line.replace("evalkit plan ", "evalkit "))[0].split() for line in lines):
            typed = max((each for each in known if tuple(words[1 : 1 + len(each)]) == each), key=len)
            below = [command for at, command in known.items() if at[: len(typed)] == typed]  # of a group: any of them
            flags = {
                flag for each in below for option in each.params for flag in (*option.opts, *option.secondary_opts)
            }
            given = {
                word.partition("=")[0]
                for word in words[1 + len(typed) :]
                if re.fullmatch(r"--?[a-z][a-z-]*(=.*)?", word)
            }
            assert given <= flags | {"-V", "--version", "--help"}, (typed, given - flags)
            examples += 1
    assert examples > 120


def test_an_error_shows_what_acts_in_a_name_and_does_not_send_it(monkeypatch, capsys):
    code, _, err = typed(monkeypatch, capsys, "view", "no\x1b[2Jsuch\u202e")
    assert code == 2
    assert "no\\x1b[2Jsuch\\u202e matches no folder" in err
    assert not {"\x1b", "\u202e"} & set(click.unstyle(err))


def test_help_lists_every_verb():
    assert all(verb in run("--help").output for verb in VERBS)


def test_an_unknown_verb_proposes_the_nearest(monkeypatch, capsys):
    code, _, err = typed(monkeypatch, capsys, "tokeniser")
    assert code == 2
    assert "did you mean tokenizer?" in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("tokenizer", "-m", "jpeg-lmm"), "did you mean jpeg-lm"),
        (("tokenizer", "-m", "llamagen-vq16"), "vq_ds16_c2i.pt"),
        (("tokenizer", "-m", "jpeg-lm", "-d", "/no/such"), "is not there"),
        (("tokenizer",), "Missing option"),
        (("tokenizer", "-m", "jpeg-lm", "--batch-size", "0"), "whole number from 1"),
        (("tokenizer", "-m", "jpeg-lm", "--features", "dinov2-l14"), "did you mean dinov2"),
        (("tokenizer", "-m", "jpeg-lm", "--features", "clip-vitl14", "--tasks", "codes"), "add distribution"),
        (("protocol", "show", "nothing"), "known: evalkit-1"),
        (("report", "/no/such"), "is not there"),
        (("weights", "list", "nothing*"), "no weight file"),
    ],
)
def test_mistakes_are_one_sentence_and_exit_code_2(monkeypatch, capsys, arguments, said):
    code, _, err = typed(monkeypatch, capsys, *arguments)
    assert code == 2
    assert said in err
    assert "Traceback" not in err


def test_interruption_is_130_and_says_how_to_go_on(monkeypatch, capsys):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("evalkit.tasks.tokenizer.evaluate_tokenizer", interrupted)
    code, _, err = typed(monkeypatch, capsys, "tokenizer", "-m", "jpeg-lm")
    assert code == 130
    assert "type the same command again" in err


def test_lists_are_tables_and_json():
    assert "llamagen-vq16" in run("ls", "tokenizers", "llama*").output
    names = [card["name"] for card in json.loads(run("ls", "tokenizers", "--json").output)]
    assert names == sorted(names)
    assert "vtbench-2025" in run("ls", "protocols").output
    assert json.loads(run("ls", "protocols", "--json").output)[0]["id"] == "evalkit-1"
    assert json.loads(run("ls", "metrics", "--json").output)["psnr"]["better"] == "higher"
    assert json.loads(run("ls", "extractors", "--json").output)["dinov2-vitl14"] == "fd_dinov2"
    assert "clip-vitl14" in run("ls", "extractors").output
    assert "fd_efflite0" in run("ls", "metrics").output


def test_protocols_are_shown_and_compared():
    shown = run("protocol", "show", "vtbench-2025").output
    assert "cover-lanczos" in shown
    assert "pooled PSNR" in shown
    assert json.loads(run("protocol", "show", "evalkit-1", "--json").output)["sha256"]
    assert "psnr.aggregate" in run("protocol", "diff", "evalkit-1", "vtbench-2025").output


def test_weights_are_listed_checked_and_fetched(tmp_path, monkeypatch):
    monkeypatch.setenv("EVALKIT_CACHE", str(tmp_path))
    rows = json.loads(run("weights", "list", "llamagen*", "--json").output)
    assert {row["state"] for row in rows} == {"missing"}
    assert "present" in run("weights", "check", "efficientnet*").output
    assert run("weights", "fetch", "efficientnet*").exit_code == 0
    missing = run("weights", "fetch", "llamagen-vq8")
    assert missing.exit_code == 1
    assert "--weights" in missing.output


def test_doctor_finds_the_embedded_default_working():
    shown = run("doctor")
    assert shown.exit_code == 0
    assert "jpeg-lm gives" in shown.output
    findings = json.loads(run("doctor", "--json").output)
    assert not [each for each in findings if each["level"] == "problem"]


def test_completion_prints_a_script():
    assert "_EVALKIT_COMPLETE" in run("completion", "bash").output


def test_tokenizer_prints_a_comparison_and_json_and_the_report(tmp_path):
    common = ["--data", "sample/photos", "--limit", "2", "--tasks", "reconstruction,codes", "--keep", "none"]
    models = ["-m", "jpeg-q75", "-m", "webp-q75", "--out", str(tmp_path / "runs")]
    shown = run("tokenizer", *models, *common, "-p", "evalkit-1", "-p", "vtbench-2025", env={"COLUMNS": "120"})
    assert shown.exit_code == 0
    assert "psnr dB ↑" in shown.output
    assert "pooled PSNR" in shown.output
    assert (tmp_path / "runs" / "comparison.html").exists()
    (first, second) = json.loads(
        run("tokenizer", *models, *common, "-p", "evalkit-1", "-p", "vtbench-2025", "--json").output
    )["runs"]
    assert (first["model"], second["model"]) == ("jpeg-q75", "webp-q75")
    page = tmp_path / "page.html"
    assert run("report", first["run"], "--out", str(page)).exit_code == 0
    assert page.exists()


def test_the_report_is_not_replaced_silently(tmp_path, monkeypatch, capsys):
    page = tmp_path / "page.html"
    page.touch()
    (tmp_path / "run").mkdir()
    code, _, err = typed(monkeypatch, capsys, "report", str(tmp_path / "run"), "--out", str(page))
    assert code == 2
    assert "--force" in err


def test_failed_samples_are_listed_with_exit_code_1(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "bad.png").write_bytes(b"no")
    from PIL import Image

    Image.new("RGB", (32, 32), "red").save(folder / "good.png")
    shown = run(
        "tokenizer", "-m", "jpeg-lm", "-d", str(folder), "--tasks", "reconstruction", "--out", str(tmp_path / "r")
    )
    assert shown.exit_code == 1
    assert "1 samples failed" in shown.output
    assert "bad.png: not an image" in shown.output
