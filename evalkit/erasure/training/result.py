"""A finished eraser on disk: weights in the base's own layout, and `eraser.json`."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from evalkit.erasure.training.learner import Learner
from evalkit.erasure.training.spec import FACTS, WEIGHTS, Trained
from evalkit.errors import EvalkitError
from evalkit.generators.base import TokenGenerator
from evalkit.generators.multimodal import MultimodalGenerator
from evalkit.jsonio import pretty_json, read_json
from evalkit.weights.reading import file_sha256
from evalkit.whole_files import whole


def write_weights(learner: Learner, folder: Path) -> Path:
    """`weights.safetensors`, or for models of transformers the folder `weights` that stands for the base's own."""
    generator = learner.generator
    if isinstance(generator, MultimodalGenerator):
        return _whole_folder(generator, folder / "weights")
    from safetensors.torch import save_file

    state = {name: _own(value) for name, value in learner.network.state_dict().items()}
    with whole(folder / WEIGHTS) as temporary:
        save_file(state, temporary, {"format": "pt"})
    return folder / WEIGHTS


def _whole_folder(generator: MultimodalGenerator, folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    generator.model.save_pretrained(folder)
    generator.processor.save_pretrained(folder)
    return folder


def _own(value: Tensor) -> Tensor:
    """A copy, because tables that two layers share would be refused."""
    return value.detach().cpu().clone().contiguous()


def write_facts(folder: Path, facts: Mapping[str, Any]) -> None:
    """`eraser.json`, whose presence says that the training is finished."""
    with whole(folder / FACTS) as temporary:
        temporary.write_bytes(pretty_json(dict(facts)))


def read_trained(folder: Path) -> Trained:
    """The eraser in a folder. Raises `EvalkitError` where its training did not come to its end."""
    if not (folder / FACTS).is_file():
        raise EvalkitError(f"{folder} holds no finished eraser. Train one with: evalkit erasure train --out {folder}")
    facts = read_json(folder / FACTS)
    if not isinstance(facts, dict) or not isinstance(facts.get("weights"), str):
        raise EvalkitError(f"{folder / FACTS} is no record of an eraser. Train it again")
    return Trained(folder, folder / facts["weights"], facts)


def weights_digest(path: Path, generator: TokenGenerator) -> str:
    """As a generator that loads these weights states it."""
    if isinstance(generator, MultimodalGenerator):
        from evalkit.generators.folders import folder_digest

        return folder_digest(path)
    return file_sha256(path)
