"""Old module names: imports of a version before still work for one version, with a warning that says the new name."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import sys
import warnings
from collections.abc import Sequence
from types import ModuleType
from typing import Any

MODULES = {
    "evalkit.probes": "evalkit.tasks",
    "evalkit.probes.reconstruction": "evalkit.tasks.tokenizer",
    "evalkit.probes.reconstruction.judges": "evalkit.tasks.tokenizer.evaluators",
    "evalkit.probes.generation": "evalkit.tasks.generate",
    "evalkit.probes.generation.prompts": "evalkit.prompts.load",
    "evalkit.runs.job": "evalkit.jobs.options",
    "evalkit.runs.engine": "evalkit.jobs.engine_inline",
    "evalkit.runs.timers": "evalkit.jobs.timers",
    "evalkit.runs.attestation": "evalkit.provenance",
    "evalkit.runs.attestation.c2pa": "evalkit.images.c2pa",
    "evalkit.runs.attestation.credential": "evalkit.images.credential",
    "evalkit.runs.report": "evalkit.pages",
    "evalkit.runs.view": "evalkit.pages.view",
    "evalkit.encoders.lpips": "evalkit.encoders.perceptual.lpips",
    "evalkit.encoders.inception": "evalkit.encoders.features.inception",
    "evalkit.encoders.tf_resize": "evalkit.encoders.features.tf_resize",
    "evalkit.encoders.clip": "evalkit.encoders.features.clip",
    "evalkit.encoders.dinov2": "evalkit.encoders.features.dinov2",
    "evalkit.weights.state": "evalkit.systems.weights",
}
NAMES = {  # those that have another home, or another name
    ("evalkit.probes.reconstruction.judges", "Judges"): "evalkit.tasks.tokenizer.evaluators:Evaluators",
    ("evalkit.encoders.lpips", "load_lpips"): "evalkit.encoders.registry:load_lpips",
    ("evalkit.encoders.base", "load_extractor"): "evalkit.encoders.registry:load_extractor",
    ("evalkit.runs.job", "Progress"): "evalkit.jobs.progress:Progress",
    ("evalkit.stats.intervals", "wilson"): "evalkit.stats.shares:wilson",
    ("evalkit.stats.intervals", "clopper_pearson"): "evalkit.stats.shares:clopper_pearson",
}


def moved(module: str, name: str) -> Any:
    """What `name` of the old `module` is now; raises `AttributeError` where it is gone."""
    home = NAMES.get((module, name))
    if home is not None:
        place, _, name = home.partition(":")
        return getattr(importlib.import_module(place), name)
    if module not in MODULES:
        raise AttributeError(f"module {module!r} has no attribute {name!r}")
    return getattr(importlib.import_module(MODULES[module]), name)


class Old(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds modules by their old names; parts of a moved package are found in the new one."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """A stand-in for an old name; None for every other."""
        parent, _, last = fullname.rpartition(".")
        if fullname not in MODULES:
            if parent not in MODULES:
                return None
            MODULES[fullname] = f"{MODULES[parent]}.{last}"
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def exec_module(self, module: ModuleType) -> None:
        """Give the stand-in what the module is now, and say so."""
        name = module.__name__
        warnings.warn(f"{name} is now {MODULES[name]}; the old name goes with the next version", DeprecationWarning, 2)
        importlib.import_module(MODULES[name])
        module.__getattr__ = lambda each: moved(name, each)  # type: ignore[method-assign]


def install() -> None:
    """Let old names be found, after all others."""
    if not any(isinstance(each, Old) for each in sys.meta_path):
        sys.meta_path.append(Old())
