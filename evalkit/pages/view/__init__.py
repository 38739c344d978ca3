"""`evalkit view`: the samples of runs as a folder of static files that opens from disk, with no network."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any

from evalkit.errors import EvalkitError
from evalkit.pages.view.columns import columns
from evalkit.pages.view.facts import distinct, facts
from evalkit.pages.view.images import copied, linked, sample_images
from evalkit.runs.find import Found, default_folder, find_runs
from evalkit.runs.store import Run, check_target, read_run, write_bytes

__all__ = ["Found", "default_folder", "find_runs", "write_view"]
MARK = "view.json"
SCRIPTS = ("model.js", "pairs.js", "list.js", "tiles.js", "zoom.js", "detail.js", "help.js", "tools.js", "app.js")


def write_view(runs: Sequence[Path], folder: Path, *, copy: bool = False, images: Path | None = None) -> Path:
    """Write the page over the sealed `runs` into `folder` and give the page's path back; runs are never written to.

    Images are reached where they lie by relative addresses, or with `copy` lie in `folder` too, which can then be
    moved alone. `images` is where the images lie that the runs scored but do not hold. An earlier view in `folder` is
    replaced. Raises `EvalkitError` where `folder` holds anything else,
    lies inside a run, or cannot be written.
    """
    check_target(folder, runs, "view", lambda: (folder / MARK).is_file())
    if images is not None and not images.is_dir():
        raise EvalkitError(f"{images} is no folder; give as --images the folder of the images that were scored")
    try:
        for old in ("data", "pictures"):
            shutil.rmtree(folder / old, ignore_errors=True)
        write_bytes(folder / MARK, json.dumps({"view": 1, "runs": len(runs)}).encode())
        listed = [
            _write_run(read_run(path), number, folder, copy=copy, images=images) for number, path in enumerate(runs)
        ]
        names = distinct([each["name"] for each in listed], [path.resolve().name for path in runs])
        _write_script(
            folder / "data" / "runs.js", "view.runs", [{**e, "name": n} for e, n in zip(listed, names, strict=True)]
        )
        return _write_page(folder)
    except OSError as error:
        raise EvalkitError(f"{folder} cannot be written ({error.strerror}); give another place with --out") from None


def _write_run(run: Run, number: int, folder: Path, *, copy: bool, images: Path | None) -> dict[str, Any]:
    """Write the data of one run, which the page loads when it is chosen; give its facts back."""
    found = sample_images(run, images)
    data = {
        "columns": [each.as_dict() for each in columns(run.samples)],
        "pictures": copied(found, folder, str(number)) if copy else linked(found, folder),
    }
    _write_script(folder / "data" / f"{number}.js", f"view.data[{number}]", data)
    return {**facts(run, folder), "pictures": [each.kind for each in found]}


def _write_script(path: Path, target: str, value: Any) -> None:
    """`target = value` as a script: pages that were opened from disk may not read JSON files.

    Everything beyond ASCII is escaped, so that no text can end the script or be an invalid file.
    """
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    write_bytes(path, f"{target} = {text};\n".encode("ascii"))


def _write_page(folder: Path) -> Path:
    """The page itself, the same for all runs."""
    report, own = package_files("evalkit.pages"), package_files("evalkit.pages.view") / "page"
    style = "".join((part).read_text(encoding="utf-8") for part in (report / "report.css", own / "view.css"))
    write_bytes(folder / "view.css", style.encode())
    for name in SCRIPTS:
        write_bytes(folder / "scripts" / name, (own / name).read_bytes())
    page = folder / "index.html"
    write_bytes(page, (own / "index.html").read_bytes())
    return page
