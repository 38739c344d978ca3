"""What options mean, alike in every verb: whose a weight file is, how large a batch is, where a run may lie."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from evalkit.errors import EvalkitError
from evalkit.jobs.progress import Progress
from evalkit.weights.object_stores import is_url, url_of

BatchSize = int | Literal["auto"]


@dataclass(frozen=True)
class EngineOptions:
    """Where shards are worked on; it decides no result.

    `name`: inline (this process), local (processes of this machine), ray (a Ray cluster) [inline; local where `workers`
    is above 1]. `address`: of the cluster [RAY_ADDRESS, else one that is started here]. `workers`: how many [one a GPU,
    else one for each `cpus_per_worker` CPUs]. `gpus_per_worker`: 0.5 lets two share a GPU [1 where there are GPUs].
    `cpus_per_worker`: CPUs, and threads of computation, of a worker [ray: 1; local: all CPUs, shared].
    """

    name: Literal["inline", "local", "ray"] | None = None
    address: str | None = None
    workers: int | None = None
    gpus_per_worker: float | None = None
    cpus_per_worker: int | None = None


@dataclass(frozen=True)
class RunOptions:
    """Options that every task shares.

    `out`: run directory (default `runs/<task>-<model>-<hash>`). `limit`: only the first samples. `batch_size`: a number,
    or "auto". `keep`: which images stay. `weights`: FILE for a single model, or NAME=FILE each.
    `compile`: let torch compile the network. `engine`: who does the shards. `retry_failed`:
    samples that failed, in a finished run too, are done again. Text is taken for the path `out` and for one of `weights`,
    and a mapping of names to files for several.
    """

    out: Path | None = None
    limit: int | None = None
    batch_size: int | Literal["auto"] = "auto"
    device: str = "auto"
    dtype: str = "float32"
    seed: int = 0
    keep: Literal["none", "worst", "all"] = "worst"
    threads: int = 2
    weights: tuple[str, ...] = ()
    compile: bool = False
    command: tuple[str, ...] = ()
    retry_failed: bool = False
    engine: EngineOptions = field(default_factory=EngineOptions, compare=False)
    progress: Progress = field(default_factory=Progress, compare=False)

    def __post_init__(self) -> None:
        """Take text where a path or several files are meant. Raises `EvalkitError` for a limit below 1."""
        if "\0" in str(self.out):
            raise EvalkitError(f"out={str(self.out)!r} holds a zero byte, which no path has. Give another folder")
        if self.out is not None:
            object.__setattr__(self, "out", Path(self.out))
        weights: Any = self.weights
        if isinstance(weights, str | Path):
            object.__setattr__(self, "weights", (str(weights),))
        elif isinstance(weights, Mapping):
            object.__setattr__(self, "weights", tuple(f"{name}={path}" for name, path in weights.items()))
        if self.limit is not None and self.limit < 1:
            raise EvalkitError(f"a limit of {self.limit} leaves no sample. Give 1 or more, or none")


def weights_by_name(
    given: Sequence[str],
    models: Sequence[str],
    *,
    main: str | None = None,
    canonical: Callable[[str], str] = str,
    elsewhere: bool = False,
) -> dict[str, str]:
    """The path that each of `models` was given by `--weights`; models that were given none are left out.

    NAME=PATH is of the model NAME. FOLDER is where every model without a path of its own is looked for. FILE, whose name
    may hold a `=`, is of the model `main` [default: the only one]. `canonical`: the name of a model behind an alias or a
    role. `elsewhere`: the list is shared with other models, so names of those are passed over and a FILE may be theirs.

    Raises `EvalkitError` where it cannot be said whose a file is, or a model is given two.

    >>> weights_by_name(["var=a.pth", "b.pth"], ["var", "llamagen-vq16"], main="llamagen-vq16")
    {'var': 'a.pth', 'llamagen-vq16': 'b.pth'}
    """
    known = list(dict.fromkeys(models))
    main = main or (known[0] if len(known) == 1 else None)
    found: dict[str, str] = {}
    folder: str | None = None
    plain: str | None = None
    for each in given:
        name, path = _split(each, known, canonical)
        if name is None and Path(path).expanduser().is_dir():
            folder = _only("the models", folder, path)
        elif name is None and main is not None:
            plain = _only(main, plain, path)
        elif name is None:
            example = f"NAME={each}" if not known else f"{known[0]}={each}"
            raise EvalkitError(f"--weights {each} does not say whose it is; type, for example, --weights {example}")
        elif name in known:
            found[name] = _only(name, found.get(name), path)
        elif not elsewhere:
            raise EvalkitError(
                f"--weights {each}: {name} is none of the models here, and there is no such file; "
                f"give FILE, or NAME=FILE with {' or '.join(known)}"
            )
    if main is not None and plain is not None:
        before = found.get(main)
        found[main] = before if elsewhere and before else _only(main, before, plain)
    rest = {} if folder is None else dict.fromkeys(known, folder)
    return {**rest, **found}


def named_weights(given: Sequence[str], main: str) -> tuple[str, ...]:
    """`given` with every FILE as main=FILE, for those who load other models too."""
    plain = [each for each in given if _split(each, [], str)[0] is None and not Path(each).expanduser().is_dir()]
    return tuple(f"{main}={each}" if each in plain else each for each in given)


def batch_of(given: BatchSize, usual: int) -> int:
    """The number of samples of a forward pass; `usual` where it is `auto`."""
    return usual if given == "auto" else given


def check_apart(data: str | Path, out: Path) -> None:
    """Raises `EvalkitError` where a run in `out` would lie within the images that it reads, which would grow by it.

    `data`: what `open_images` takes; a folder is read with all its sub-folders, a glob with those behind `**`.
    """
    text, there = str(data), url_of(out)
    if there is not None and is_url(text) and f"{there}/".startswith(f"{text.rstrip('/')}/"):
        raise EvalkitError(
            f"--out {there} lies within the data {text}, which would grow as it is read. Give another place"
        )
    root = text.partition("**")[0] if "**" in text else text
    source = Path(root).expanduser()
    if not (source.is_dir() and out.expanduser().resolve().is_relative_to(source.resolve())):
        return
    raise EvalkitError(
        f"--out {out} lies within the data {source}, which would grow as it is read; give another folder"
    )


def _split(text: str, known: Sequence[str], canonical: Callable[[str], str]) -> tuple[str | None, str]:
    """(name, path) of NAME=PATH, (None, path) of a path; a file that is there is no NAME=PATH of an unknown name."""
    name, equals, path = text.partition("=")
    if not equals or not name or not path:
        return None, text
    name = canonical(name)
    if Path(text).expanduser().exists() and not (name in known and Path(path).expanduser().exists()):
        return None, text
    return name, path


def _only(name: str, before: str | None, path: str) -> str:
    if before is not None and before != path:
        raise EvalkitError(f"--weights gives {name} two places ({before} and {path}); leave one of them out")
    return path
