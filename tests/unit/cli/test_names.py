"""Shell completion offers the names that the registries know, without loading a network; NO_COLOR takes colours away."""

import json
import os
import pty
import subprocess
import sys

import pytest
from click.shell_completion import ShellComplete

from evalkit.cli import group
from evalkit.cli.names import KNOWN, Name

ASKED = """
import json, sys
from click.shell_completion import ShellComplete
from evalkit.cli import group
print(json.dumps([[each.value for each in ShellComplete(group, {}, "evalkit", "X").get_completions(words[:-1], words[-1])]
                  for words in json.loads(sys.argv[1])]))
print(json.dumps([name for name in ("torch", "cv2", "duckdb", "onnxruntime") if name in sys.modules]))
"""


def offered(*words):
    *before, last = words
    return [each.value for each in ShellComplete(group, {}, "evalkit", "X").get_completions(before, last)]


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["tokenizer", "--model", "llamagen"], "llamagen-vq16"),
        (["tokenizer", "-p", "vtb"], "vtbench-2025"),
        (["generate", "--model", "world"], "world-ar"),
        (["generate", "--prompts", "gen"], "geneval"),
        (["probe", "wis"], "wise"),
        (["probe", "dec"], "decoder"),
        (["probe", "world", "--model", "var-d1"], "var-d16"),
        (["score", "--protocol", "ad"], "adm"),
        (["score", "--metrics", "fid,ki"], "fid,kid"),
        (["watermark", "detect", "FOLDER", "--tokenizer", "world"], "world-vq"),
        (["watermark", "embed", "--method", "pl"], "places"),
        (["leaderboard", "runs", "--metric", "psn"], "psnr"),
        (["protocol", "show", "tor"], "torch-fidelity"),
        (["protocol", "diff", "evalkit-1", "llam"], "llamagen-2024"),
        (["systems", "plan", "var"], "var"),
        (["weights", "fetch", "titok"], "titok-l32"),
        (["weights", "fetch", "lpips"], "lpips-trunk-vgg"),
        (["ls", "gen"], "generators"),
    ],
    ids=" ".join,
)
def test_a_name_that_is_known_is_offered(words, name):
    found = offered(*words)
    assert name in found
    assert all(each.startswith(words[-1]) for each in found)


def test_no_name_is_offered_where_the_word_is_free():
    assert offered("import", "FILE", "--model", "v") == []
    assert offered("erasure", "pairs", "--model", "v") == []


def test_completing_loads_no_network():
    words = [["tokenizer", "--model", "l"], ["generate", "-m", "v"], ["probe", "g"], ["score", "--protocol", "a"]]
    done = subprocess.run([sys.executable, "-c", ASKED, json.dumps(words)], check=True, capture_output=True, text=True)
    found, loaded = map(json.loads, done.stdout.splitlines())
    assert all(found)
    assert loaded == []


def test_every_entry_of_the_table_is_of_a_parameter():
    given = set()

    def walk(command, path):
        for name in command.list_commands(None) if hasattr(command, "list_commands") else ():
            walk(command.get_command(None, name), [*path, name])
        itself = command.get_command(None, "") if path[-1:] == ["probe"] else command
        given.update(max(each.opts, key=len) for each in itself.params if isinstance(each.type, Name))

    walk(group, [])
    assert {entry.split()[-1] for entry, known in KNOWN.items() if known} == given


@pytest.mark.parametrize(("more", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_no_color_takes_the_colour_from_messages(more, coloured, tmp_path):
    ours, theirs = pty.openpty()
    env = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    subprocess.run([sys.executable, "-m", "evalkit", "report", str(tmp_path)], env={**env, **more}, stderr=theirs)
    os.close(theirs)
    said = os.read(ours, 10_000)
    os.close(ours)
    assert b"holds no finished run" in said
    assert (b"\x1b[31m" in said) is coloured
