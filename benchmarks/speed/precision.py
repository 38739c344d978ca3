"""What lower precision does to a tokenizer: codes that flip when the encoder runs in it, and images that move when the
decoder does, in dB on a reconstruction of 25 dB. Random weights of a fixed seed, a real photograph.

python benchmarks/speed/precision.py
"""

from __future__ import annotations

import math

import torch
from common import write

from evalkit.images import open_images
from evalkit.images.geometry import fit_square
from evalkit.tokenizers.registry import TOKENIZERS

MODELS = ("llamagen-vq16", "maskgit-vqgan", "titok-s128", "bsqvit-b18", "open-magvit2-256")


def main() -> None:
    """Measure and write results/precision.csv."""
    sample = next(iter(open_images("sample/photos").read(0, 1)))
    rows = []
    for name in MODELS:
        entry = TOKENIZERS.get(name)
        torch.manual_seed(0)
        network = entry.cls.build(entry.config)
        model = entry.cls(name, entry.config, network, torch.device("cpu"), torch.float32)
        square = fit_square(sample.image, model.native_size, "short-bicubic")
        x = torch.from_numpy(square.copy()).permute(2, 0, 1)[None].float() / 255
        codes = model.encode(x)
        exact = model.decode(codes)
        low, high = model.value_range
        for dtype in (torch.float16, torch.bfloat16):
            with torch.inference_mode(), torch.autocast("cpu", dtype=dtype):
                flipped = model._encode(x * (high - low) + low)
            model.dtype = dtype
            error = float(((model.decode(codes) - exact) / exact.std() * x.std()).square().mean())
            model.dtype = torch.float32
            rows.append(
                {
                    "model": name,
                    "dtype": str(dtype).removeprefix("torch."),
                    "codes_equal_if_encoded_so": round(float((flipped.values == codes.values).float().mean()), 4),
                    "psnr_moves_db_at_25": round(10 * math.log10(1 + error / 10**-2.5), 5),
                }
            )
    write("precision", rows)


if __name__ == "__main__":
    main()
