"""Embedding: in generation (`generate_marked`), and afterwards on a folder of images (`embed_folder`)."""

from evalkit.watermark.embed.embed import embed_watermark
from evalkit.watermark.embed.generation import generate_marked
from evalkit.watermark.embed.nudge import Nudge
from evalkit.watermark.embed.posthoc import embed_folder

__all__ = ["Nudge", "embed_folder", "embed_watermark", "generate_marked"]
