"""The hooks of mkdocs, loaded from their files."""

import importlib.util
from pathlib import Path

import evalkit

ROOT = Path(evalkit.__file__).parents[1]


def hook(name):
    spec = importlib.util.spec_from_file_location(f"site_{name}", ROOT / "benchmarks" / "site" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def page(name):
    return (ROOT / "docs" / name).read_text(encoding="utf-8")
