"""`embed_watermark`: the images of a folder, marked by a key."""

from __future__ import annotations

import math
from pathlib import Path

from evalkit.errors import EvalkitError
from evalkit.jobs.options import RunOptions
from evalkit.runs.store import Run
from evalkit.tokenizers.base import Tokenizer
from evalkit.watermark.detection.detect import loaded_tokenizer
from evalkit.watermark.embed.nudge import Nudge
from evalkit.watermark.embed.posthoc import embed_folder
from evalkit.watermark.identity import tokenizer_identity
from evalkit.watermark.keys import Key, read_key
from evalkit.watermark.methods import mark_for
from evalkit.watermark.methods.files import read_mark
from evalkit.watermark.spec import MarkSpec


def embed_watermark(
    data: str | Path,
    key: str | Path | Key,
    tokenizer: str | Tokenizer | None = None,
    *,
    mark: MarkSpec | str | Path | None = None,
    fraction: float = 1.0,
    most_cost: float = math.inf,
    nudge: Nudge | None = None,
    options: RunOptions | None = None,
) -> Run:
    """Mark every image of `data` with `key` and seal the run: images/*.png, mark.json, rows, a page.

    `key`: a key, its file or env:NAME. `tokenizer`: whose codes carry the mark; may be left out where `mark` is a
    mark.json. `mark`: the method and its numbers [LBW with one list]. `fraction`, `most_cost`, `nudge`: how much is
    changed, and how (`embed_folder`). The same call resumes. Raises `EvalkitError` before any work where something does
    not fit.

    >>> import pathlib, tempfile
    >>> from evalkit.watermark.keys import new_key
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> options = RunOptions(out=folder / "run", limit=1)
    >>> run = embed_watermark("sample/photos", new_key(folder / "my.key"), "world-vq", options=options)
    >>> len(list((run.path / "images").iterdir()))
    1
    """
    options = options or RunOptions()
    secret = key if isinstance(key, Key) else read_key(key)
    file = None if mark is None or isinstance(mark, MarkSpec) else read_mark(mark)
    spec = file.spec if file is not None else mark if isinstance(mark, MarkSpec) else MarkSpec()
    name = tokenizer or (file.tokenizer_name if file is not None else None)
    if name is None:
        raise EvalkitError("whose codes carry the mark? Give a tokenizer, such as llamagen-vq16, or a mark.json")
    if file is not None:
        file.check(secret)
    loaded = loaded_tokenizer(name, options) if isinstance(name, str) else name
    if file is not None:
        file.check(secret, tokenizer_identity(loaded))
    made = mark_for(spec, secret, loaded)
    return embed_folder(data, loaded, made, fraction=fraction, most_cost=most_cost, nudge=nudge, options=options)
