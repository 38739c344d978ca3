"""Benchmarks that a judge scores, each declared by one TOML file."""

from evalkit.protocols.judged.declaration import Declaration
from evalkit.protocols.judged.read import declared, load_declaration, read_declaration

__all__ = ["Declaration", "declared", "load_declaration", "read_declaration"]
