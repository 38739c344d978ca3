"""FVD: the Fréchet distance of videos by the 400 logits of I3D on Kinetics (Unterthiner et al. 2018, arXiv:1812.01717)."""

from __future__ import annotations

from evalkit.metrics.score import declare_score

I3D = "i3d-kinetics400"
FVD = declare_score(
    "fvd",
    "FVD",
    "Fréchet video distance, I3D logits",
    "lower",
    source="Unterthiner et al. 2018, arXiv:1812.01717",
    needs=(I3D,),
)
DECLARED = (FVD,)
