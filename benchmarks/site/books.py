"""A hook of mkdocs: the notebooks of docs become pages, with what their cells showed when they were executed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File


def on_files(files: Any, config: Any) -> Any:
    """Each .ipynb is a page in its place."""
    for book in [each for each in files if each.src_uri.endswith(".ipynb")]:
        text = page(json.loads(Path(book.abs_src_path).read_text(encoding="utf-8")))
        files.append(File.generated(config, book.src_uri.replace(".ipynb", ".md"), content=text))
    return files


def page(book: Mapping[str, Any]) -> str:
    """The notebook as Markdown."""
    return "\n\n".join(part for cell in book["cells"] for part in _parts(cell)) + "\n"


def _parts(cell: Mapping[str, Any]) -> Iterator[str]:
    source = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        yield source
        return
    yield f"```python\n{source}\n```"
    for output in cell["outputs"]:
        shown = output.get("data", {})
        if "text/html" in shown:
            yield "".join(line for line in "".join(shown["text/html"]).splitlines(keepends=True) if line.strip())
        else:
            yield f"```text\n{''.join(output.get('text') or shown['text/plain']).rstrip()}\n```"
