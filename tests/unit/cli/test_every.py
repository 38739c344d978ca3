"""What every verb takes: options from a file, and how much it tells."""

import click
import pytest
from click.testing import CliRunner

from evalkit.cli import VERBS, group
from evalkit.cli.every import Said


def leaves(command, context, path=()):
    """Every command that does something, with its words."""
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            yield from leaves(command.get_command(context, name), context, (*path, name))
    else:
        yield path, command


def test_every_verb_takes_a_file_and_says_how_much_it_tells():
    found = dict(leaves(group, click.Context(group)))
    assert {path[0] for path in found} == set(VERBS)
    for path, command in found.items():
        names = [option for each in command.params for option in each.opts]
        assert {"--config", "--quiet", "--verbose", "--log-file"} <= set(names), path
        assert len(names) == len(set(names)), path


def run(*words, text, folder):
    (folder / "c.toml").write_text(text)
    return CliRunner().invoke(group, [*words, "--config", str(folder / "c.toml")], obj=Said())


def test_the_file_gives_options_of_the_verb_and_typed_ones_win(tmp_path):
    words = ("tokenizer", "--data", "sample/photos", "--limit", "2", "--tasks", "codes", "--json")
    text = 'keep = "none"\n[tokenizer]\nmodel = "jpeg-q75"\n[power]\nbaseline = 1\n'
    given = run(*words, "--out", str(tmp_path / "one"), text=text, folder=tmp_path)
    assert given.exit_code == 0, given.output
    assert "jpeg-q75" in given.output
    typed = run(*words, "--model", "webp-q75", "--out", str(tmp_path / "two"), text=text, folder=tmp_path)
    assert "webp-q75" in typed.output
    assert "jpeg-q75" not in typed.output


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("limt = 3", "has no option 'limt'. Did you mean limit?"),
        ("config = 'x.toml'", "has no option 'config'"),
        ("[tokenizer]\nmodle = 1", "evalkit tokenizer has no option 'modle'. Did you mean model?"),
        ("limit = ", "c.toml is no TOML"),
        ('model = "jpeg-q75"\nlimit = "many"', "'many' is not a valid"),
    ],
)
def test_a_slip_in_the_file_is_one_sentence(text, said, tmp_path):
    out = run("tokenizer", text=text, folder=tmp_path)
    assert out.exit_code != 0
    assert said in (str(out.exception) + out.output)
