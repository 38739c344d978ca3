"""Cases that the official code of judged suites made, and replies as its parsers read them."""

import json
from pathlib import Path

from evalkit.judges.official import PARSERS
from evalkit.judges.parse import NoAnswer

DATA = Path(__file__).parents[1] / "unit" / "tasks" / "probe" / "judged" / "data"


def cases(name, fn=""):
    """The cases of a file whose function begins with `fn`."""
    found = json.loads((DATA / f"{name}.json").read_text())["cases"]
    return [case for case in found if case.get("fn", "").startswith(fn)]


def read(parser, text):
    """What an official parser reads; None where it finds no answer."""
    try:
        return PARSERS[parser](text)
    except NoAnswer:
        return None
