"""Watermark methods, one a file: `build_mark` makes one from its spec, a key and a tokenizer."""

from evalkit.watermark.methods.build import build_mark, mark_for
from evalkit.watermark.methods.files import MarkFile, read_mark, write_mark
from evalkit.watermark.methods.several import Several
from evalkit.watermark.spec import MarkSpec

__all__ = ["MarkFile", "MarkSpec", "Several", "build_mark", "mark_for", "read_mark", "write_mark"]
