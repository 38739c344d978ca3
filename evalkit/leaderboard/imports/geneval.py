"""GenEval's official result file: one line an image, with the script's verdict."""

from __future__ import annotations

from pathlib import Path

from evalkit.leaderboard.imports.taken import Taken, of_probe
from evalkit.tasks.probe.geneval.official import read_results
from evalkit.tasks.probe.geneval.prompts import geneval_prompts
from evalkit.tasks.probe.geneval.summary import summarise

SUITE = "geneval"


def take_geneval(path: Path, model: str, source: str) -> Taken:
    """The verdicts of a file and their scores. Raises `EvalkitError` with the line that is none of GenEval's."""
    rows = read_results(path, geneval_prompts())
    return of_probe(SUITE, rows, summarise(rows, SUITE), model, source)
