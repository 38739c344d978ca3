"""Model folders of transformers and diffusers: found, read without running code of theirs, complete or refused."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from evalkit.errors import WeightsError
from evalkit.generators.registry import Source
from evalkit.weights.find import hub_folder
from evalkit.weights.reading import file_sha256

WEIGHTS = (".safetensors", ".bin")


def model_folder(source: Source, repo: str, *, pickled: bool = False) -> Path:
    """The folder of the hub repository `repo`: the given one, one in EVALKIT_WEIGHTS, the hub's cache, or the hub.

    Raises `WeightsError` that says where it lies and how to pass it.
    """
    if source.weights is not None:
        folder = Path(source.weights).expanduser()
        if not folder.is_dir():
            raise WeightsError(f"--weights {folder} is no folder; give the whole folder of huggingface.co/{repo}")
        return folder
    for place in os.environ.get("EVALKIT_WEIGHTS", "").split(os.pathsep):
        if place and (found := Path(place).expanduser() / repo.rpartition("/")[2]).is_dir():
            return found
    return hub_folder(repo, pickled=pickled)


def load_whole(folder: Path, load: Callable[..., Any], **settings: Any) -> Any:
    """What `load` (a `from_pretrained`) makes of the folder; missing or foreign parameters are an error, not a warning."""
    model, report = loaded(folder, load, output_loading_info=True, **settings)
    missing = sorted(report.get("missing_keys", ()))
    if missing:
        raise WeightsError(
            f"{folder.name} lacks {len(missing)} parameters, the first is {missing[0]}; give the whole official folder"
        )
    return model


def loaded(folder: Path, load: Callable[..., Any], **settings: Any) -> Any:
    """What `load` (a `from_pretrained`) makes of the folder; raises `WeightsError` for every error of the library."""
    try:
        with _without_bars():
            return load(str(folder), local_files_only=True, **settings)
    except Exception as error:  # the libraries raise many kinds for a folder that is not theirs
        said = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
        raise WeightsError(f"{folder.name} cannot be loaded: {said}. Give the model's whole folder") from None


@contextmanager
def _without_bars() -> Iterator[None]:
    """transformers draws a bar of its own for each load, which is no part of what a verb says."""
    library: Any = sys.modules.get("transformers")
    if library is None or not library.utils.logging.is_progress_bar_enabled():
        yield
        return
    library.utils.logging.disable_progress_bar()
    try:
        yield
    finally:
        library.utils.logging.enable_progress_bar()


def folder_digest(folder: Path) -> str:
    """sha256 over names and digests of the folder's weight files."""
    files = sorted(path for path in folder.rglob("*") if path.suffix in WEIGHTS)
    said = "".join(f"{path.relative_to(folder).as_posix()}\0{file_sha256(path)}\n" for path in files)
    return hashlib.sha256(said.encode()).hexdigest()
