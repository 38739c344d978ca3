"""Where weight files are looked for, in order: given path, EVALKIT_WEIGHTS, package, caches, source."""

from __future__ import annotations

import importlib.util
import os
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files as package_files
from pathlib import Path

from evalkit.errors import WeightsError
from evalkit.weights.download import answers, from_url, offline
from evalkit.weights.object_stores import local


@dataclass(frozen=True)
class WeightFile:
    """One entry of the weights manifest.

    `source`: `hf:owner/repo[/subfolder]`, `url:https://…`, `package:import_name`, or `manual:…` for a place that only a
    person can open (a drive, a form). `files`: what must be there; one file, or several that make a folder.
    """

    key: str
    source: str
    files: tuple[str, ...]
    licence: str
    note: str = ""
    sha256: str | None = None
    gated: bool = False
    metric: bool = False  # of a metric, not of a model under test: --weights does not reach it

    @property
    def where(self) -> str:
        """The source in words a person can follow."""
        kind, _, rest = self.source.partition(":")
        return {"hf": f"huggingface.co/{rest}", "package": f"the Python package {rest}"}.get(kind, rest)


@cache
def weights_manifest() -> dict[str, WeightFile]:
    """Every weight file that evalkit knows, by key."""
    found: dict[str, WeightFile] = {}
    folder = package_files("evalkit.weights") / "manifest"
    for part in sorted(folder.iterdir(), key=lambda p: p.name):
        if not part.name.endswith(".toml"):
            continue
        for key, row in tomllib.loads(part.read_text(encoding="utf-8")).items():
            if key in found:
                raise ValueError(f"weights manifest: {key} stands twice")
            found[key] = WeightFile(key, **{**row, "files": tuple(row.get("files", (key,)))})
    return found


def find_weights(key: str, given: str | Path | None = None, *, download: bool = True) -> Path:
    """The path of the manifest entry `key`: a file, or a folder where the entry has several files.

    A key that the manifest lacks is the name of a file of the user's own, for a model of another package.

    Raises `WeightsError` that names the file, its source and how to pass it.
    """
    entry = weights_manifest().get(key) or WeightFile(key, "manual:whoever trained it", (key,), "not stated")
    if given is not None:
        return _in_given(entry, local(given))
    for folder in os.environ.get("EVALKIT_WEIGHTS", "").split(os.pathsep):
        if folder and (path := _in_folder(entry, Path(folder).expanduser())):
            return path
    kind, _, rest = entry.source.partition(":")
    if kind == "package" and (path := _in_package(rest, entry)):
        return path
    if kind == "hf" and (path := _from_hub(rest, entry, download=download)):
        return path
    if kind == "url" and (path := from_url(rest, entry.sha256, download=download)):
        return path
    raise WeightsError(missing_message(entry))


def missing_message(entry: WeightFile) -> str:
    """One sentence: what is missing, where it lies, how to pass it."""
    what = f"weights {entry.files[0]}" if len(entry.files) == 1 else f"files {', '.join(entry.files)}"
    gate = " (you must accept its licence there first)" if entry.gated else ""
    flag = "" if entry.metric else "pass --weights PATH, or "
    return (
        f"the {what} are not here and could not be fetched: get them from {entry.where}{gate} and {flag}"
        "put them into a folder named in the environment variable EVALKIT_WEIGHTS"
    )


def _in_given(entry: WeightFile, path: Path) -> Path:
    if path.is_file() and len(entry.files) == 1:
        return path
    if path.is_dir() and (found := _in_folder(entry, path)):
        return found
    state = "is not there" if not path.exists() else "does not hold it"
    raise WeightsError(f"--weights {path} {state}; expected {' and '.join(entry.files)} from {entry.where}")


def _in_folder(entry: WeightFile, folder: Path) -> Path | None:
    if len(entry.files) == 1:
        name = entry.files[0]
        files = (folder / entry.key / name, folder / entry.key, folder / name, folder / Path(name).name)
        return next((p for p in files if p.is_file()), None)
    folders = (folder / entry.key, folder)
    return next((p for p in folders if all(_is_there(p / name) for name in entry.files)), None)


def _is_there(path: Path) -> bool:
    """Whether the file is there; a conversion to safetensors stands in for a pickled `.bin`."""
    return path.is_file() or (path.suffix == ".bin" and path.with_suffix(".safetensors").is_file())


def _in_package(module: str, entry: WeightFile) -> Path | None:
    spec = importlib.util.find_spec(module)
    if spec is None:
        return None
    for folder in spec.submodule_search_locations or ():
        if found := _in_folder(entry, Path(folder)):
            return found
    return None


def _from_hub(source: str, entry: WeightFile, *, download: bool) -> Path | None:
    from huggingface_hub import hf_hub_download, try_to_load_from_cache

    owner, repo, *sub = source.split("/", 2)
    paths = []
    for name in entry.files:
        inside = f"{sub[0]}/{name}" if sub else name
        cached = try_to_load_from_cache(f"{owner}/{repo}", inside)
        if not isinstance(cached, str) and download and hub_is_reachable():
            try:
                cached = hf_hub_download(f"{owner}/{repo}", inside)
            except Exception:  # every failure of the hub (network, gate, absent) has the same remedy
                return None
        if not isinstance(cached, str):
            return None
        paths.append(Path(cached))
    return paths[0] if len(paths) == 1 else paths[0].parent


def hub_folder(repo: str, *, pickled: bool = False) -> Path:
    """A whole model folder of the hub's cache, or of the hub: settings, texts, and safetensors (or .bin) weights."""
    from huggingface_hub import snapshot_download

    wanted = ["*.json", "*.txt", "*.model", "*.jinja", "*.bin" if pickled else "*.safetensors"]
    for cached in (True, False):
        if not cached and not hub_is_reachable():
            break
        try:
            return Path(snapshot_download(repo, allow_patterns=wanted, local_files_only=cached))
        except Exception:  # not in the cache, gated, absent: one remedy for all
            continue
    raise WeightsError(
        f"the folder of {repo} is not here and could not be fetched. Get it from huggingface.co/{repo}, where some models "
        "ask you to accept a licence. Give the folder, or put it into a folder named in EVALKIT_WEIGHTS"
    )


def hub_is_reachable() -> bool:
    """Whether the hub may be asked (nothing says offline) and its host answers."""
    return not offline() and answers(os.environ.get("HF_ENDPOINT") or "https://huggingface.co")
