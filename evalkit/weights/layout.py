"""From an official checkpoint's wrapping to a network's state dict, with errors that name what does not fit."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from evalkit.errors import WeightsError


class _SkipInit(TorchFunctionMode):
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(func, "__module__", None) == "torch.nn.init":
            return args[0] if args else (kwargs or {})["tensor"]
        return func(*args, **(kwargs or {}))


def without_init() -> TorchFunctionMode:
    """A context in which `torch.nn.init` does nothing: networks about to be loaded are built in a fraction of the time."""
    return _SkipInit()


class _NoValues(_SkipInit):
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (torch.randn, torch.rand):
            return torch.empty(*args, **(kwargs or {}))
        if func in (F.normalize, Tensor.normal_, Tensor.uniform_):
            return args[0]
        return super().__torch_function__(func, types, args, kwargs)


@contextmanager
def on_paper() -> Iterator[None]:
    """A context in which networks have shapes and no values: they are made on torch's device "meta".

    Random numbers stay away, because on that device they load torch's compiler: 200 MB, and two seconds.
    """
    with torch.device("meta"), _NoValues():
        yield


def values_sha256(network: nn.Module) -> str:
    """sha256 over names and float32 values of a network's tensors: that of a part, without what else its file holds."""
    digest = hashlib.sha256()
    for name, value in sorted(network.state_dict().items()):
        digest.update(f"{name}\0{tuple(value.shape)}\n".encode())
        digest.update(value.detach().float().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def unwrap(checkpoint: Mapping[str, Any], wrapping: Sequence[str], prefixes: Sequence[str] = ()) -> dict[str, Tensor]:
    """The tensors under the first of the top-level keys `wrapping` that is there (else the file itself).

    A key with dots leads further down ("trainer.model").
    `prefixes` are stripped, each at most once and in order, from every key that has them.
    """
    found = (_at(checkpoint, key) for key in wrapping)
    inner: Any = next((each for each in found if isinstance(each, Mapping)), checkpoint)
    state: dict[str, Tensor] = {}
    for key, value in inner.items():
        if not isinstance(value, Tensor):
            continue
        for prefix in prefixes:
            key = key.removeprefix(prefix)
        state[key] = value
    return state


def _at(checkpoint: Mapping[str, Any], key: str) -> Any:
    inner: Any = checkpoint
    for part in key.split("."):
        inner = inner.get(part) if isinstance(inner, Mapping) else None
    return inner


def dotless_ema(state: Mapping[str, Tensor], network: nn.Module, prefix: str = "model_ema.") -> dict[str, Tensor]:
    """The EMA copy that Lightning projects keep under `model_ema.<name without dots>`, under its real names.

    Keys that have no EMA copy (buffers) are taken from the plain weights. A file without EMA is returned as it is.
    """
    short = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
    plain = {key: value for key, value in state.items() if not key.startswith(prefix)}
    if not short:
        return plain
    own = {name.replace(".", ""): name for name, _ in network.named_parameters()}
    return {**plain, **{own[key]: value for key, value in short.items() if key in own}}


def fit(network: nn.Module, state: Mapping[str, Tensor], path: Path, name: str, *, unused: Iterable[str] = ()) -> None:
    """Load `state` into `network` by name, every parameter exactly once; otherwise say what does not fit.

    `unused`: regular expressions of keys in the file that the network does not need. Raises `WeightsError`.
    """
    wanted = network.state_dict()
    optional = {key for key in wanted if key.endswith("num_batches_tracked")}
    skip = [re.compile(pattern) for pattern in unused]
    missing = [key for key in wanted if key not in state and key not in optional]
    extra = [key for key in state if key not in wanted and not any(p.search(key) for p in skip)]
    shapes = [
        f"{key} is {tuple(state[key].shape)}, {tuple(wanted[key].shape)} expected"
        for key in wanted
        if key in state and state[key].shape != wanted[key].shape
    ]
    problems = []
    if missing:
        problems.append(f"{len(missing)} parameters are missing ({_some(missing)})")
    if extra:
        problems.append(f"{len(extra)} are not known to it ({_some(extra)})")
    if shapes:
        problems.append(f"{len(shapes)} have another shape ({_some(shapes)})")
    if problems:
        raise WeightsError(
            f"{path.name} does not fit {name}: {'; '.join(problems)}. "
            f"Give the file that `evalkit weights list {name}` names, with --weights FILE"
        )
    with torch.no_grad():
        loaded = {
            key: value.float() if value.is_floating_point() else value for key, value in state.items() if key in wanted
        }
    network.load_state_dict(loaded, strict=False, assign=True)


def _some(items: Sequence[str], most: int = 3) -> str:
    return ", ".join(items[:most]) + (", …" if len(items) > most else "")
