"""FlowMo's two double-stream transformers (arXiv 2503.11056; kylesargent/FlowMo flowmo/models.py)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evalkit.tokenizers.nets.flux import TIME_DIM, rotate, rotation, time_features

STREAMS = ("txt", "img")  # code tokens come before patches in the joint attention
UNCONDITIONED = (0.0, 0.0, 1.0, 0.0, 0.0, 1.0)  # shift, scale, gate of attention and of the MLP without a time


@dataclass(frozen=True)
class FluxSize:
    """Sizes of one transformer; `axes`: rotary channels of a head for (code position, row, column), all even."""

    width: int
    depth: int
    axes: tuple[int, int, int]

    @property
    def heads(self) -> int:
        """Each head is as wide as its rotary channels."""
        return self.width // sum(self.axes)


def layer_norm(x: Tensor) -> Tensor:
    """LayerNorm without parameters, eps 1e-6."""
    return F.layer_norm(x, (x.shape[-1],), eps=1e-6)


class TimeMlp(nn.Module):
    """Linear, SiLU, linear."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.in_layer = nn.Linear(TIME_DIM, width)
        self.out_layer = nn.Linear(width, width)

    def forward(self, t: Tensor) -> Tensor:
        """[B] -> [B, width]."""
        out: Tensor = self.out_layer(F.silu(self.in_layer(time_features(t))))
        return out


class RmsScale(nn.Module):
    """Division by the root mean square of the last axis (eps 1e-6), then a learned scale."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        """[..., d] -> [..., d] in the type of `x`."""
        wide = x.float()
        normal = wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + 1e-6)
        return (normal.to(x.dtype) * self.scale).to(x.dtype)


class Projections(nn.Module):
    """What one stream brings to the joint attention: query, key and value with RMS-normalised query and key."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.norm = nn.ModuleDict({f"{which}_norm": RmsScale(width // heads) for which in ("query", "key")})
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """[B, L, width] -> three of [B, heads, L, d]."""
        packed: Tensor = self.qkv(x)
        q, k, v = packed.reshape(*x.shape[:2], 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        return self.norm["query_norm"](q), self.norm["key_norm"](k), v


class Modulation(nn.Module):
    """Shift, scale and gate of the attention and of the MLP from the embedding of t."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.lin = nn.Linear(width, 6 * width)

    def forward(self, vec: Tensor) -> Sequence[Tensor]:
        """[B, width] -> six of [B, 1, width]."""
        out: Tensor = self.lin(F.silu(vec))
        return out[:, None].chunk(6, dim=-1)


class DoubleBlock(nn.Module):
    """Codes and patches, each with weights of its own, attend to one another; then an MLP for each."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention_scale = 8.0 * heads / width  # muP: 8/d rather than 1/sqrt(d)
        for name in STREAMS:
            self.add_module(f"{name}_mod", Modulation(width))
            self.add_module(f"{name}_attn", Projections(width, heads))
            mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU("tanh"), nn.Linear(4 * width, width))
            self.add_module(f"{name}_mlp", mlp)

    def forward(self, streams: Sequence[Tensor], vec: Tensor | None, turn: Tensor) -> list[Tensor]:
        """(codes [B, N, width], patches [B, L, width]) -> the same; `vec` [B, width] or None for no time."""
        part = self.get_submodule
        mods = [UNCONDITIONED if vec is None else part(f"{name}_mod")(vec) for name in STREAMS]
        packed = [
            part(f"{name}_attn")((1 + mod[1]) * layer_norm(x) + mod[0])
            for name, x, mod in zip(STREAMS, streams, mods, strict=True)
        ]
        q, k, v = (torch.cat(each, dim=2) for each in zip(*packed, strict=True))
        mixed = F.scaled_dot_product_attention(rotate(q, turn), rotate(k, turn), v, scale=self.attention_scale)
        codes = streams[0].shape[1]
        joined = mixed.transpose(1, 2).flatten(2)
        pieces = (joined[:, :codes], joined[:, codes:])
        out = []
        for name, x, mod, piece in zip(STREAMS, streams, mods, pieces, strict=True):
            x = x + mod[2] * part(f"{name}_attn").get_submodule("proj")(piece)
            out.append(x + mod[5] * part(f"{name}_mlp")((1 + mod[4]) * layer_norm(x) + mod[3]))
        return out


class Readout(nn.Module):
    """The last layer; with a time the features are normalised twice, before and after the modulation."""

    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, out)  # a muP readout whose multiplier is 1 at the width it was trained at
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 2 * width))

    def forward(self, x: Tensor, vec: Tensor | None) -> Tensor:
        """[B, L, width] -> [B, L, out]."""
        if vec is not None:
            shift, scale = self.adaLN_modulation(vec)[:, None].chunk(2, dim=-1)
            x = (1 + scale) * layer_norm(x) + shift
        out: Tensor = self.linear(layer_norm(x))
        return out


class DoubleStream(nn.Module):
    """A transformer over code tokens of `code_dim` channels and the patches of an image."""

    def __init__(self, size: FluxSize, code_dim: int, patch: int) -> None:
        super().__init__()
        self.size, self.patch = size, patch
        pixels = 3 * patch * patch
        self.time_in = TimeMlp(size.width)
        self.img_in = nn.Linear(pixels, size.width)
        self.txt_in = nn.Linear(code_dim, size.width)
        self.double_blocks = nn.ModuleList(DoubleBlock(size.width, size.heads) for _ in range(size.depth))
        self.final_layer_img = Readout(size.width, pixels)
        self.final_layer_txt = Readout(size.width, code_dim)

    def _features(self, image: Tensor, code: Tensor, vec: Tensor | None) -> Sequence[Tensor]:
        b, c, h, w = image.shape
        rows, columns, p = h // self.patch, w // self.patch, self.patch
        patches = image.reshape(b, c, rows, p, columns, p).permute(0, 2, 4, 3, 5, 1).reshape(b, rows * columns, -1)
        turn = rotation(code.shape[1], rows, columns, self.size.axes, image.device)
        streams: Sequence[Tensor] = (self.txt_in(code), self.img_in(patches))
        for block in self.double_blocks:
            streams = block(streams, vec, turn)
        return streams

    def read_code(self, image: Tensor, tokens: int) -> Tensor:
        """Code float32 [B, tokens, code_dim] of images [B, 3, H, W]; the code tokens start from zeros, without t."""
        empty = image.new_zeros(image.shape[0], tokens, self.txt_in.in_features)
        out: Tensor = self.final_layer_txt(self._features(image, empty, None)[0], None)
        return out.float()

    def velocity(self, image: Tensor, code: Tensor, t: Tensor) -> Tensor:
        """Velocity float32 [B, 3, H, W] of noisy images `image` at times `t` [B], given `code` [B, N, code_dim]."""
        b, c, h, w = image.shape
        vec = self.time_in(t)
        out: Tensor = self.final_layer_img(self._features(image, code, vec)[1], vec)
        grid = out.float().reshape(b, h // self.patch, w // self.patch, self.patch, self.patch, c)
        return grid.permute(0, 5, 1, 3, 2, 4).reshape(b, c, h, w)
