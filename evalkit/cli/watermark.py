"""`evalkit watermark`: keys, marked images, and attacks on them."""

from __future__ import annotations

import click

from evalkit.cli.watermark_attack import attack
from evalkit.cli.watermark_calibrate import calibrate
from evalkit.cli.watermark_detect import detect
from evalkit.cli.watermark_embed import embed
from evalkit.cli.watermark_power import power
from evalkit.cli.watermark_robustness import robustness
from evalkit.cli.watermark_service import SERVICE
from evalkit.text import counted, visible


@click.group()
def watermark() -> None:
    """Mark images while they are made or afterwards, find the marked ones, attack them; keys.

    \b
    evalkit watermark keygen my.key
    evalkit watermark embed --model world-ar --prompts world --key my.key --delta 2 --out MARKED
    evalkit watermark detect PHOTOS --key my.key --mark MARKED/mark.json
    evalkit watermark attack PHOTOS --attack jpeg:75 --out attacked
    evalkit watermark serve --key-ring RING
    evalkit watermark purge
    """


@watermark.command()
@click.argument("file", type=click.Path(dir_okay=False))
def keygen(file: str) -> None:
    """Write a fresh 256-bit key to FILE, readable by its owner only; nothing is overwritten.

    \b
    evalkit watermark keygen my.key
    """
    from evalkit.watermark.keys import new_key

    click.echo(visible(f"{file}: key {new_key(file).id}; keep it secret, and keep a copy"))


@watermark.command()
@click.option("--cache", type=click.Path(dir_okay=False), metavar="FILE", help="The cache [default: the user's].")
def purge(cache: str | None) -> None:
    """Forget the codes that detection keeps of the files it has seen.

    \b
    evalkit watermark purge
    """
    from evalkit.watermark.detection.cache import CodeCache

    kept = CodeCache(cache)
    try:
        click.echo(visible(f"{kept.path}: {counted(kept.purge(), 'image')} forgotten"))
    finally:
        kept.close()


for each in SERVICE:
    watermark.add_command(each)
watermark.add_command(embed)
watermark.add_command(detect)
watermark.add_command(calibrate)
watermark.add_command(attack)
watermark.add_command(power)
watermark.add_command(robustness)
