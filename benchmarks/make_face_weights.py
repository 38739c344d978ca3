"""Make evalkit/encoders/data/yunet_s.safetensors from the official YuNet (Apache-2.0), and check it against onnxruntime.

    pip install onnx onnxruntime
    python benchmarks/make_face_weights.py yunet_s_640_640.onnx

The file is onnx/yunet_s_640_640.onnx of github.com/ShiqiYu/libfacedetection.train, the same bytes as
face_detection_yunet_2023mar.onnx of github.com/opencv/opencv_zoo. In it the batch norms are folded into the depthwise
convolutions, which lost their names; these follow from the convolution before.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import numpy_helper
from safetensors.torch import save_file

from evalkit.encoders.faces.yunet import STRIDES, YuNet

SHA256 = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"
OUT = Path("evalkit/encoders/data/yunet_s.safetensors")
FIRST = "backbone.model0.conv1"


def named(file: Path) -> dict[str, torch.Tensor]:
    """Weights and biases of every convolution but those of the landmarks, by official names."""
    graph = onnx.load(file).graph
    held = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    state: dict[str, torch.Tensor] = {}
    name = ""
    for node in graph.node:
        if node.op_type != "Conv":
            continue
        _, weight, bias = node.input
        if weight.endswith(".weight"):
            name = weight.removesuffix(".weight")
        else:
            name = name.removesuffix("conv1") + "conv2" if name else FIRST
        if "_kps." not in name:
            state[f"{name}.weight"] = torch.from_numpy(held[weight].copy())
            state[f"{name}.bias"] = torch.from_numpy(held[bias].copy())
    return state


def largest_difference(file: Path, network: YuNet) -> float:
    """Between onnxruntime's outputs and the network's on noise, over all levels."""
    image = np.random.default_rng(0).integers(0, 256, (1, 3, 640, 640)).astype(np.float32)
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    wanted = dict(zip([o.name for o in session.get_outputs()], session.run(None, {"input": image}), strict=True))
    with torch.inference_mode():
        found = network(torch.from_numpy(image))
    worst = 0.0
    for stride, (scores, objects, boxes) in zip(STRIDES, found, strict=True):
        for name, map_ in (("cls", scores.sigmoid()), ("obj", objects.sigmoid()), ("bbox", boxes)):
            flat = map_.flatten(2).transpose(1, 2).numpy()
            worst = max(worst, float(np.abs(flat - wanted[f"{name}_{stride}"]).max()))
    return worst


def main() -> None:
    """Check the file, write the weights, compare."""
    parser = argparse.ArgumentParser()
    parser.add_argument("onnx", type=Path)
    file = parser.parse_args().onnx
    if hashlib.sha256(file.read_bytes()).hexdigest() != SHA256:
        raise SystemExit(f"{file} is not the official file (sha256 {SHA256[:12]}…)")
    state = named(file)
    network = YuNet()
    network.load_state_dict(state)
    difference = largest_difference(file, network.eval())
    if difference > 1e-4:
        raise SystemExit(f"outputs differ from onnxruntime's by {difference:.2e}")
    save_file(state, OUT)
    print(f"{OUT}: {len(state)} tensors, {OUT.stat().st_size} bytes, within {difference:.1e} of onnxruntime")


if __name__ == "__main__":
    main()
