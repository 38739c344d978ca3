"""Make evalkit/encoders/data/lpips_heads.safetensors from the official heads in the `lpips` package (BSD-2-Clause)."""

from __future__ import annotations

from pathlib import Path

import lpips
import torch
from safetensors.torch import save_file

OUT = Path("evalkit/encoders/data/lpips_heads.safetensors")


def main() -> None:
    """One float32 vector a layer, named <net>.<layer>."""
    heads: dict[str, torch.Tensor] = {}
    for net in ("alex", "vgg", "squeeze"):
        file = Path(lpips.__file__).parent / "weights" / "v0.1" / f"{net}.pth"
        state = torch.load(file, map_location="cpu", weights_only=True)
        for key, value in state.items():
            heads[f"{net}.{int(key.split('.')[0].removeprefix('lin'))}"] = value.flatten().float().contiguous()
    OUT.parent.mkdir(parents=True, exist_ok=True)
    save_file(heads, OUT)
    print(f"{OUT}: {len(heads)} heads, {OUT.stat().st_size} bytes")


if __name__ == "__main__":
    main()
