"""Tokenizers whose network is a class of diffusers or transformers: a folder with config.json and the weights."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor, nn

from evalkit.errors import MissingDependency, WeightsError
from evalkit.jsonio import parse_json
from evalkit.tokenizers.nets.search import CodeSearch
from evalkit.tokenizers.network import NetworkTokenizer
from evalkit.weights.layout import fit, without_init
from evalkit.weights.reading import read_checkpoint


class LibraryTokenizer(NetworkTokenizer):
    """The library gives the network; the weights are read here: by name, each exactly once, running no code of the file.

    The libraries' own loaders only warn of parameters that a file lacks.
    """

    library: ClassVar[str] = "diffusers"
    library_class: ClassVar[str]
    holders: ClassVar[tuple[str, ...]] = ()  # other classes whose folders hold this network, under one of `inside`
    inside: ClassVar[tuple[str, ...]] = ()
    stem: ClassVar[str] = "diffusion_pytorch_model"  # of the weight file, .safetensors or .bin
    network: Any
    search: CodeSearch  # of families that compare features with codes here, not in the library

    def searches(self) -> list[CodeSearch]:
        """The library's networks know nothing of restricted searches, so one stands beside them."""
        return [self.search] if hasattr(self, "search") else []

    @classmethod
    def load_network(cls, name: str, config: Any, path: Path) -> nn.Module:
        """The network of the folder `path`.

        Raises `WeightsError` where the folder is another model's or damaged, and `MissingDependency` without the
        library.
        """
        with without_init():
            network = cls.outline(name, config, path)
        files = (path / f"{cls.stem}{suffix}" for suffix in (".safetensors", ".bin"))
        weights = next((file for file in files if file.is_file()), None)
        if weights is None:
            raise WeightsError(f"{path.name} has no {cls.stem}.safetensors; give the model's whole folder")
        fit(network, cls.official_state(read_checkpoint(weights), network), path, name, unused=cls.unused)
        return network

    @classmethod
    def outline(cls, name: str, config: Any, path: Path) -> nn.Module:
        """The network that the folder's config.json describes; raises as `load_network`."""
        kind = cls.find_class()
        stated = read_folder(path, cls.library_class, *cls.holders)
        cls.check_settings(name, config, stated, path)
        try:
            return cls.construct(kind, stated)
        except Exception as error:  # the library raises many kinds for settings that make no network
            raise WeightsError(f"{path.name} cannot be loaded as {name}: {_first_line(error)}") from None

    @classmethod
    def find_class(cls) -> Any:
        """The library's class."""
        try:
            return getattr(importlib.import_module(cls.library), cls.library_class)
        except (ImportError, AttributeError):
            raise MissingDependency(f"{cls.library}'s {cls.library_class}", "hf") from None

    @classmethod
    def construct(cls, kind: Any, stated: Mapping[str, Any]) -> nn.Module:
        """The network that config.json describes."""
        network: nn.Module = kind.from_config(dict(stated))
        return network

    @classmethod
    def check_settings(cls, name: str, config: Any, stated: Mapping[str, Any], path: Path) -> None:
        """Raise `WeightsError` where config.json is that of another model of the same class."""

    @classmethod
    def official_state(cls, checkpoint: dict[str, Any], network: nn.Module) -> dict[str, Tensor]:
        """The tensors of this network, without the prefix that they have inside a whole model."""
        for prefix in cls.inside:
            found = {key.removeprefix(prefix): value for key, value in checkpoint.items() if key.startswith(prefix)}
            if found:
                return found
        return checkpoint


def read_folder(path: Path, *wanted: str) -> dict[str, Any]:
    """config.json of a diffusers or transformers model folder, checked to be of one of the classes `wanted`."""
    try:
        config = parse_json((path / "config.json").read_bytes(), "it")
        found = config.get("_class_name") or (config.get("architectures") or ["an unnamed class"])[0]
    except (OSError, ValueError, AttributeError) as error:
        raise WeightsError(
            f"{path.name} has no readable config.json ({error}); give the model's whole folder"
        ) from None
    if found not in wanted:
        raise WeightsError(
            f"{path.name} holds a {found}, {' or '.join(wanted)} expected; give the folder of the right model"
        )
    return dict(config)


def check_setting(name: str, path: Path, stated: Mapping[str, Any], key: str, words: str, expected: int) -> None:
    """Raise `WeightsError` unless config.json says `expected` for `key`, which `words` describe."""
    if stated.get(key) != expected:
        raise WeightsError(
            f"{path.name} has {stated.get(key)} {words}, {name} has {expected}; "
            f"give the folder that `evalkit weights list {name}` names"
        )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
