"""Count what each judged suite asks about one model: questions, images sent, tokens of prompts.

python benchmarks/tables/judge_tokens.py FOLDER        FOLDER holds the files of each suite in FOLDER/SUITE

Texts are those of the official files. A token is taken as four ASCII characters or one other one, and an image as 1,000
tokens, which endpoints count between 260 and 2,000 for an image of 1,024 px. Replies are not counted: the pilot of a
campaign measures them. Suites whose files are not there keep their row.
"""

from __future__ import annotations

import csv
import io
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from evalkit.errors import EvalkitError
from evalkit.judges.request import ImagePart, JudgeRequest
from evalkit.protocols.judged import declared, load_declaration
from evalkit.tasks.probe.judged.calls import asked_of, request_of
from evalkit.tasks.probe.judged.suite import JudgedSuite, judged_suite

TABLE = Path(__file__).with_name("judge-tokens.csv")
IMAGE, TURN = 1000, 300  # tokens of an image, and of the reply that a second turn repeats
COLUMNS = ("suite", "questions", "images", "prompt_tokens")
BLANK = np.zeros((8, 8, 3), np.uint8)


def tokens(text: str) -> float:
    """Tokens of a text, about."""
    plain = sum(character.isascii() for character in text)
    return plain / 4 + len(text) - plain


def counted(suite: JudgedSuite) -> tuple[int, int, int]:
    """(questions, images sent, tokens of prompts) about all images of one model."""
    questions = images = 0
    total = 0.0
    for item in suite.items:
        firsts: dict[str, tuple[int, float]] = {}
        for asked in asked_of(suite.said.calls, item):
            sent, said = size(request_of(asked, suite.folder, BLANK, png(), lambda role: png()))
            before = firsts.get(asked.call.after, (0, 0.0))
            sent, said = sent + before[0], said + before[1] + (TURN if asked.call.after else 0)
            firsts[asked.name] = sent, said
            questions, images, total = questions + 1, images + sent, total + said
    each = suite.samples
    return questions * each, images * each, round((total + IMAGE * images) * each)


def size(request: JudgeRequest) -> tuple[int, float]:
    """(images, tokens of texts) of a request."""
    parts = [part for message in request.messages for part in message.parts]
    return sum(isinstance(p, ImagePart) for p in parts), sum(tokens(p) for p in parts if isinstance(p, str))


def png() -> bytes:
    """A small image's file."""
    out = io.BytesIO()
    Image.fromarray(BLANK).save(out, "PNG")
    return out.getvalue()


def kept() -> dict[str, dict[str, str]]:
    """The rows of the table as it is."""
    if not TABLE.is_file():
        return {}
    with TABLE.open(encoding="utf-8", newline="") as file:
        return {row["suite"]: row for row in csv.DictReader(file)}


def main(root: Path) -> None:
    """Write the table anew for the suites whose files are in `root`."""
    rows = kept()
    for name in declared():
        if not load_declaration(name).calls:
            continue
        try:
            found = counted(judged_suite(name).opened(root / name))
        except EvalkitError as error:
            print(f"{name}: {error}")
            continue
        rows[name] = dict(zip(COLUMNS, (name, *map(str, found)), strict=True))
        print(name, *found)
    with TABLE.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows[name] for name in sorted(rows) if name in declared())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
