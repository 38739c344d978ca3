"""Tokenizers as plain data: a reference with the digest of the weights, and the tokenizer behind it, loaded by a worker."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from evalkit.errors import EvalkitError
from evalkit.jobs.live import held, hold, is_live
from evalkit.jobs.spec import ModelRef
from evalkit.tokenizers.base import NetworkTokenizer, Tokenizer
from evalkit.tokenizers.registry import describe_tokenizer, load_tokenizer


def tokenizer_ref(
    tokenizer: str | Tokenizer, weights: Sequence[str] = (), dtype: str = "float32", *, compiled: bool = False
) -> tuple[ModelRef, Tokenizer]:
    """(reference, the tokenizer with its sizes, which cannot encode where it was named).

    `weights`: FILE, or NAME=FILE each, as `--weights`. A tokenizer that is given itself stays with this process.
    """
    if isinstance(tokenizer, Tokenizer):
        return ModelRef(tokenizer.name, tokenizer.weights_sha256, dtype, weights=hold(tokenizer)), tokenizer
    file = weights_of(tokenizer, weights)
    known = describe_tokenizer(tokenizer, file)
    settings = {"compile": True} if compiled and isinstance(known, NetworkTokenizer) else {}
    return ModelRef(known.name, known.weights_sha256, dtype, settings, file), known


def opened_tokenizer(ref: ModelRef, device: str) -> Tokenizer:
    """The tokenizer behind a reference; raises `EvalkitError` where the weights here are not those of the run."""
    if is_live(ref.weights):
        found: Tokenizer = held(str(ref.weights))
        return found
    made = load_tokenizer(ref.name, ref.weights, device, ref.dtype)
    if made.weights_sha256 != ref.sha256:
        raise EvalkitError(
            f"the weights of {ref.name} here are not those of the run (sha256 {str(ref.sha256)[:12]}…). Give --weights FILE"
        )
    if ref.settings.get("compile") and isinstance(made, NetworkTokenizer):
        made.compile()
    return made


def identity_of(ref: ModelRef) -> str:
    """What `tokenizer_identity` says of the tokenizer behind a reference."""
    return f"{ref.name}@{ref.sha256 or 'none'}"


def weights_of(name: str, given: Sequence[str]) -> str | None:
    """Of FILE and NAME=FILE the one that is meant for the tokenizer `name`.

    >>> weights_of("var", ["llamagen-vq16=a.pt", "var=b.pt"])
    'b.pt'
    """
    own = [each.partition("=")[2] for each in given if each.startswith(f"{name}=")]
    plain = [each for each in given if "=" not in each or Path(each).exists()]
    return next(iter([*own, *plain]), None)
