"""Names of files and folders may hold anything; no verb sends a terminal what acts instead of showing."""

import csv
import io
import os
import signal
import sys

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from evalkit.cli import main
from evalkit.cli.show_query import show_csv, show_json
from evalkit.runs.query import Answer
from evalkit.watermark.robustness.summary import csv_text

EVIL = "a\x1b[31mb\u202ec\x07"
TOKENIZER = ["tokenizer", "--model", "jpeg-q75", "--limit", "2", "--tasks", "reconstruction"]
VERBS = [
    [*TOKENIZER, "--data", "images", "--out", f"{EVIL}-scored"],
    ["generate", "--model", "world-ar", "--prompts", "world", "--limit", "1", "--out", f"{EVIL}-made"],
    ["watermark", "attack", "images", "--attack", "jpeg:75", "--out", f"{EVIL}-attacked"],
    ["watermark", "keygen", f"{EVIL}.key"],
    ["sign", "--new-key", f"{EVIL}.pem"],
    ["sign", f"{EVIL}-scored", "--key", f"{EVIL}.pem"],
    ["verify", f"{EVIL}-scored", "--no-recompute"],
    ["report", f"{EVIL}-scored", "--out", f"{EVIL}.html"],
    ["view", f"{EVIL}-scored", "--out", f"{EVIL}-view", "--no-open"],
    ["leaderboard", f"{EVIL}-scored", "--out", f"{EVIL}-board"],
    ["query", "select * from runs", "--runs", f"{EVIL}-scored"],
    ["query", "select id, error from samples", "--runs", f"{EVIL}-scored"],
    ["report", f"{EVIL}-nowhere"],
]


@pytest.mark.skipif(os.name != "posix", reason="names that only POSIX takes")
def test_no_verb_prints_escape_sequences_or_direction_marks(tmp_path, monkeypatch, capsys):
    pytest.importorskip("cryptography")
    monkeypatch.chdir(tmp_path)
    os.mkdir("images")
    rng = np.random.default_rng(0)
    for k in range(2):
        Image.fromarray(rng.integers(0, 255, (64, 64, 3), np.uint8)).save(f"images/{EVIL}{k}.png")
    with open(f"images/{EVIL}.png", "wb") as broken:
        broken.write(b"\x89PNG\r\n\x1a\nno image")
    before, found = signal.getsignal(signal.SIGTERM), []
    for arguments in VERBS:
        monkeypatch.setattr(sys, "argv", ["evalkit", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        said = "".join(capsys.readouterr())
        assert end.value.code in (0, 1, 2)
        assert "Traceback" not in said
        found += [(arguments, line) for line in said.split("\n") if {"\x07", "\x1b", "\u202e"} & set(line)]
    assert found == []
    signal.signal(signal.SIGTERM, before)


def test_answers_are_harmless_on_a_terminal_and_as_csv_and_are_exact_as_json_in_a_pipe(capsys, monkeypatch):
    for terminal in (False, True):
        for show in (show_csv, show_json):
            monkeypatch.setattr(sys.stdout, "isatty", lambda terminal=terminal: terminal)
            show(Answer(("id",), iter([pa.record_batch({"id": [EVIL]})])))
            said = capsys.readouterr().out
            assert "\u202e" in said or r"\u202e" in said
            assert "\u202e" not in said or (show is show_json and not terminal)
            assert not (terminal and {"\x1b", "\x07"} & set(said))


FORMULAS = ['=HYPERLINK("http://x")', "+1", "-1+2", "@SUM(A1)", "\tx"]


def test_no_export_as_csv_holds_what_a_spreadsheet_runs(capsys):
    batch = pa.record_batch({"=id": FORMULAS, "n": [-1.5] * 5})
    show_csv(Answer(("=id", "n"), iter([batch])))
    head, *rows = csv.reader(io.StringIO(capsys.readouterr().out))
    assert head == ["'=id", "n"]
    assert rows == [[f"'{each}", "-1.5"] for each in FORMULAS]
    made = list(csv.reader(io.StringIO(csv_text([{"attack": each, "n": -1.5} for each in FORMULAS]))))
    assert [row[0] for row in made[1:]] == [f"'{each}" for each in FORMULAS]
    assert made[1][1] == "-1.5"
