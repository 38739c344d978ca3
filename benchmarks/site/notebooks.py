"""Execute docs/notebooks/*.py in empty folders and keep them with what they show as .ipynb; a slow test does it again.

python benchmarks/site/notebooks.py [NAME …]            needs the extra [docs]
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "notebooks"
SECONDS = 600  # that a cell may take
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def executed(source: Path) -> Any:
    """The notebook of a source with its outputs, and nothing of the machine that made them."""
    book = jupytext.read(source)
    book.metadata = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    with tempfile.TemporaryDirectory() as place:
        client = NotebookClient(book, timeout=SECONDS, kernel_name="python3", resources={"metadata": {"path": place}})
        client.execute(env={**os.environ, "TQDM_DISABLE": "1"})
    for number, cell in enumerate(book.cells):
        cell.id, cell.metadata = f"cell-{number}", {}
        if cell.cell_type == "code":
            cell.outputs = [each for each in cell.outputs if each.get("name") != "stderr"]
    return book


def written(book: Any) -> str:
    """The text of the file."""
    return nbformat.writes(book, version=4).rstrip("\n") + "\n"


def main(names: list[str]) -> None:
    """Write those that are named, or all."""
    for source in sorted(FOLDER.glob("*.py")):
        if not names or source.stem in names:
            source.with_suffix(".ipynb").write_text(written(executed(source)), encoding="utf-8")
            print(source.with_suffix(".ipynb"))


if __name__ == "__main__":
    main(sys.argv[1:])
