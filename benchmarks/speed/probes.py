"""GenEval's rules over the evidence of 2,212 images, and its evidence stage beside the bare network, in turn.

python benchmarks/speed/probes.py [--repeats 5] [--part rules] [--full]

Networks have random weights. `--full` takes one of the size of GenEval's detector (Swin-S, 100 queries), which is slow
on a CPU; without it a tiny one shows what evalkit does besides.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import in_turn, summary, write

from evalkit.encoders.detectors.detection import Detection
from evalkit.encoders.detectors.mask2former import Mask2FormerDetector
from evalkit.encoders.detectors.resize import network_input
from evalkit.jobs.options import RunOptions
from evalkit.tasks.probe import probe
from evalkit.tasks.probe.evidence.read import read_evidence
from evalkit.tasks.probe.evidence.record import Evidence, ImageEvidence
from evalkit.tasks.probe.evidence.write import write_evidence
from evalkit.tasks.probe.suite import SUITES, Encoders, ProbeImage

BOXES, SIDE, IMAGES = 12, 512, 4


def evidence(suite: Any) -> Evidence:
    """Every image of the suite with boxes of the classes that its prompt names, and of others; scores are random."""
    rng = np.random.default_rng(0)
    found = []
    for prompt in suite.prompts():
        named = [clause.name for clause in prompt.include]
        for sample in range(suite.samples):
            boxes = []
            for number in range(BOXES):
                x, y, w, h = rng.uniform(0, SIDE / 2, 4)
                name = named[number % len(named)] if number < BOXES // 2 else suite.classes[rng.integers(80)]
                boxes.append(Detection(name, (x, y, x + w, y + h), rng.uniform(), color=suite.colors[number % 10]))
            found.append(ImageEvidence(f"{prompt.id}/{sample}", prompt.id, sample, (SIDE, SIDE), boxes=tuple(boxes)))
    return Evidence(tuple(found), {"suite": suite.name})


def rules(folder: Path, repeats: int) -> list[dict[str, Any]]:
    """Rules alone, and the whole command from a file to a sealed run with its page."""
    suite = SUITES.get("geneval")()
    made = evidence(suite)
    write_evidence(folder / "e.jsonl", made.images, made.facts)
    whole = (folder / f"run-{number}" for number in range(1000))

    def judged() -> Any:
        return suite.summary(suite.rules(made))

    def command() -> Any:
        return probe("geneval", evidence=folder / "e.jsonl", options=RunOptions(out=next(whole)))

    work = {"rules and scores": judged, "reading the file": lambda: read_evidence(folder / "e.jsonl")}
    rows = summary(in_turn({**work, "the whole command": command}, repeats), "rules and scores")
    return [{"work": f"{len(made.images)} images", **row} for row in rows]


def looking(network: Any, name: str, repeats: int) -> list[dict[str, Any]]:
    """The evidence of images by evalkit, and the same images through the bare network one by one."""
    detector = Mask2FormerDetector.of_network(network, None, torch.device("cpu"), id=name)
    suite = SUITES.get("geneval")()
    prompt = suite.prompts()[0].id
    rng = np.random.default_rng(0)
    pixels = [rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8) for _ in range(IMAGES)]
    images = [ProbeImage(str(i), prompt, i, each) for i, each in enumerate(pixels)]
    ready = [network_input(each, detector.scale)[None] for each in pixels]

    def ours() -> Any:
        return list(suite.evidence(images, Encoders(detector)))

    @torch.inference_mode()
    def bare() -> Any:
        return [network(pixel_values=x) for x in ready]

    rows = summary(in_turn({"evalkit's evidence": ours, "bare network": bare}, repeats), "evalkit's evidence", IMAGES)
    return [{"work": f"{name}, {SIDE} px", **row} for row in rows]


def network(*, full: bool) -> Any:
    """Mask2Former in transformers' layout with random weights."""
    from transformers import Mask2FormerConfig, Mask2FormerForUniversalSegmentation, SwinConfig

    torch.manual_seed(0)
    stages = ["stage1", "stage2", "stage3", "stage4"]
    if full:
        backbone = SwinConfig(embed_dim=96, depths=[2, 2, 18, 2], num_heads=[3, 6, 12, 24], out_features=stages)
        config = Mask2FormerConfig(backbone_config=backbone, num_queries=100, num_labels=80)
    else:
        backbone = SwinConfig(
            embed_dim=16, depths=[1, 1, 1, 1], num_heads=[1, 2, 2, 4], window_size=4, out_features=stages
        )
        config = Mask2FormerConfig(
            backbone_config=backbone,
            num_queries=12,
            hidden_dim=32,
            mask_feature_size=32,
            feature_size=32,
            encoder_layers=1,
            decoder_layers=2,
            encoder_feedforward_dim=32,
            dim_feedforward=64,
            num_attention_heads=2,
            num_labels=80,
        )
    return Mask2FormerForUniversalSegmentation(config).eval()


def main() -> None:
    """Measure, and write results/probe-rules.csv and results/probe-evidence.csv."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--part", choices=["rules", "evidence"], help="only this one")
    parser.add_argument("--full", action="store_true")
    asked = parser.parse_args()
    if asked.part != "evidence":
        with tempfile.TemporaryDirectory() as folder:
            write("probe-rules", rules(Path(folder), asked.repeats))
    if asked.part != "rules":
        rows = looking(network(full=False), "a tiny Mask2Former", asked.repeats)
        if asked.full:
            rows += looking(network(full=True), "Mask2Former of Swin-S", max(2, asked.repeats // 2))
        write("probe-evidence", rows)


if __name__ == "__main__":
    main()
