"""What is known of an encoder from its files alone, so that a run is planned without loading a network, or torch."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
from dataclasses import dataclass
from importlib.resources import files as package_files

from evalkit.encoders.registry import weight_keys
from evalkit.errors import MissingDependency
from evalkit.weights.find import find_weights, weights_manifest
from evalkit.weights.reading import file_sha256

READER, NEEDED = "rapidocr", ("rapidocr", "onnxruntime")
SHIPPED = {"yunet-s": "yunet_s.safetensors"}  # in data/


@dataclass(frozen=True)
class Known:
    """Its name and weights as they will be once it is loaded; `version` where that is a package's."""

    encoder: str
    weights_sha256: str | None
    version: str = ""


def described(name: str) -> Known | None:
    """What the encoder `name` will be; None where only loading it tells (endpoints, other packages' encoders).

    Raises as loading it would where its weights or packages are missing.
    """
    if name == READER:
        if any(importlib.util.find_spec(each) is None for each in NEEDED):
            raise MissingDependency("reading text", "test")
        return Known(name, None, importlib.metadata.version(READER))
    if name in SHIPPED:
        stored = package_files("evalkit.encoders") / "data" / SHIPPED[name]
        return Known(name, hashlib.sha256(stored.read_bytes()).hexdigest())
    key = weight_keys().get(name, name)
    if key not in weights_manifest():
        return None
    return Known(name, file_sha256(find_weights(key)))
