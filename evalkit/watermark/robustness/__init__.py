"""Embed, attack, detect: how many marked images are still found, against what the attack cost them."""

from evalkit.watermark.robustness.contenders import Contender, TokenMark
from evalkit.watermark.robustness.peers import PEERS, load_peer
from evalkit.watermark.robustness.run import RobustnessRun, watermark_robustness

__all__ = ["PEERS", "Contender", "RobustnessRun", "TokenMark", "load_peer", "watermark_robustness"]
