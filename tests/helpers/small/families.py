"""All small networks by the name of the file that holds their numbers."""

from __future__ import annotations

from helpers.small.case import Case
from helpers.small.convolutions import CONVOLUTIONS
from helpers.small.decoders import DECODERS
from helpers.small.distilled import DISTILLED
from helpers.small.latents import LATENTS
from helpers.small.scales import SCALED
from helpers.small.sequences import SEQUENCES

FAMILIES: dict[str, dict[str, Case]] = {
    **{f"generator-{name}": cases for name, cases in {**DECODERS, **SCALED, **LATENTS, **DISTILLED}.items()},
    **{f"tokenizer-{name}": cases for name, cases in {**CONVOLUTIONS, **SEQUENCES}.items()},
}
