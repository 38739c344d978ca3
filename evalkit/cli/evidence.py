"""`evalkit evidence`: what encoders found, for other programs."""

from __future__ import annotations

from pathlib import Path

import click

from evalkit.text import visible


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--cache",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The cache to read [default: evidence.sqlite in EVALKIT_CACHE or ~/.cache/evalkit].",
)
def evidence(out: Path, cache: Path | None) -> None:
    """Write the evidence cache to OUT, a new .jsonl or .parquet file.

    One row per piece of evidence: sha256 of the pixels, encoder and version, sha256 of its weights, preprocessing, and what
    it found.

    \b
    evalkit evidence found.jsonl
    evalkit evidence found.parquet --cache other.sqlite
    """
    from evalkit.encoders.evidence import EvidenceCache

    kept = EvidenceCache(cache) if cache else EvidenceCache.shared()
    click.echo(visible(f"{kept.export(out):,} pieces of evidence are in {out}"))
