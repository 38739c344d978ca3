"""Evaluator networks on a CPU with random weights: Inception, EfficientNet-lite0 and LPIPS beside their peers, in turn.

python benchmarks/speed/encoders.py [--repeats 9]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from common import in_turn, summary, write

from evalkit.encoders.features.efficientnet import EfficientNetLite0, EffLite0
from evalkit.encoders.features.inception import FidInception, InceptionFid
from evalkit.encoders.perceptual.lpips import Lpips, Trunk

CPU = torch.device("cpu")
Work = dict[str, Callable[[], Any]]


def saved(network: torch.nn.Module, folder: Path, name: str) -> Path:
    """A file of the network's random weights."""
    path = folder / name
    torch.save({key: value for key, value in network.state_dict().items() if "num_batches" not in key}, path)
    return path


def inception(folder: Path) -> Work:
    """One 299 px image at a time, as evalkit looks at images on a CPU, and as the peer is called."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    path = saved(FidInception(), folder, "inception.pth")
    ours = InceptionFid(path, CPU)
    peer = FeatureExtractorInceptionV3("peer", ["2048"], feature_extractor_weights_path=str(path))
    image = torch.randint(0, 256, (1, 3, 299, 299), dtype=torch.uint8)
    return {"evalkit": lambda: ours.features(image), "torch-fidelity": lambda: peer(image)}


def efficientnet(folder: Path) -> Work:
    """One 224 px image at a time, resized and normalised alike."""
    import timm

    ours = EffLite0(saved(EfficientNetLite0(), folder, "efficientnet.pth"), CPU)
    peer = timm.create_model("tf_efficientnet_lite0", num_classes=0).eval()
    image = torch.randint(0, 256, (1, 3, 224, 224), dtype=torch.uint8)

    @torch.inference_mode()
    def theirs() -> Any:
        return peer((image.float() - 127) / 128)

    return {"evalkit": lambda: ours.features(image), "timm": theirs}


def lpips(folder: Path) -> Work:
    """One pair of 256 px images, AlexNet."""
    import lpips as package

    path = saved(Trunk("alex"), folder, "alex.pth")
    ours = Lpips("alex", path, CPU)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer = package.LPIPS(net="alex", pretrained=True, pnet_rand=True, verbose=False).eval()
    x, y = torch.rand(2, 1, 3, 256, 256)

    @torch.inference_mode()
    def theirs() -> Any:
        return peer(x, y, normalize=True)

    return {"evalkit": lambda: ours.distance(x, y), "lpips": theirs}


def main() -> None:
    """Measure and write results/encoders.csv."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=9)
    repeats = parser.parse_args().repeats
    torch.manual_seed(0)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for work, make in (("Inception", inception), ("EfficientNet-lite0", efficientnet), ("LPIPS", lpips)):
            used: dict[str, list[float]] = {}
            seconds = in_turn(make(Path(folder)), repeats, used)
            for row in summary(seconds, "evalkit"):
                cpu = statistics.median(used[row["candidate"]]) * 1e3
                rows.append({"work": work, **row, "median_cpu_ms": round(cpu, 3)})
    write("encoders", rows)


if __name__ == "__main__":
    main()
