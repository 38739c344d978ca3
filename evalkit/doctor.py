"""What works on this machine: Python, packages, devices, space, embedded models, weights."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from evalkit.errors import EvalkitError

Level = Literal["ok", "note", "problem"]
EXTRAS = {
    "hf": ("transformers", "diffusers"),
    "sign": ("cryptography", "c2pa"),
    "serve": ("fastapi", "uvicorn", "python_multipart"),
}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; a problem means that the embedded default does not work."""

    level: Level
    what: str
    said: str


def examine() -> Iterator[Finding]:
    """Everything worth knowing, cheapest first; nothing is downloaded."""
    yield Finding("ok", "python", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    yield from _packages()
    yield _device()
    free = shutil.disk_usage(Path.cwd()).free / 2**30
    yield Finding("ok" if free > 5 else "note", "disk", f"{free:.0f} GiB free here")
    for what, check in (
        ("sample images", _sample),
        ("codec tokenizer", _codec),
        ("features", _features),
        ("OCR", _ocr),
    ):
        yield _try(what, check)
    yield _weights()


def _packages() -> Iterator[Finding]:
    for name in ("torch", "torchvision", "numpy", "opencv-python-headless", "pyarrow", "rapidocr", "onnxruntime"):
        try:
            yield Finding("ok", name, importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            yield Finding("problem", name, "not installed; type: pip install evalkit-ar")
    for extra, modules in EXTRAS.items():
        absent = [module for module in modules if importlib.util.find_spec(module) is None]
        hint = f"{', '.join(absent)} not installed; type: pip install 'evalkit-ar[{extra}]'"
        yield Finding("note" if absent else "ok", f"extra [{extra}]", hint if absent else "installed")


def _device() -> Finding:
    import torch

    if torch.cuda.is_available():
        return Finding("ok", "device", f"cuda: {torch.cuda.get_device_name(0)}")
    return Finding("note", "device", f"no GPU seen by torch; {torch.get_num_threads()} CPU threads")


def _sample() -> str:
    from evalkit.images import open_images

    return f"{len(open_images('sample'))} images"


def _codec() -> str:
    import torch

    from evalkit.tokenizers.registry import load_tokenizer

    model = load_tokenizer("jpeg-lm")
    return f"jpeg-lm gives {model.encode(torch.zeros(1, 3, 256, 256)).values.shape[1]} codes for a black image"


def _features() -> str:
    from evalkit.encoders.registry import load_extractor

    return f"efflite0, sha256 {(load_extractor('efflite0', device='cpu').weights_sha256 or '')[:12]}"


def _ocr() -> str:
    from evalkit.encoders.registry import load_ocr

    engine = load_ocr()
    return f"{engine.id} {engine.version}"


def _weights() -> Finding:
    from evalkit.systems.weights import weight_states

    states = weight_states()
    here = [s.entry.key for s in states if s.state == "present"]
    said = f"{len(here)} of {len(states)} files are here ({', '.join(here[:6])}); see: evalkit weights list"
    return Finding("note", "weights", said)


def _try(what: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding("ok", what, check())
    except EvalkitError as error:
        return Finding("problem", what, str(error))
