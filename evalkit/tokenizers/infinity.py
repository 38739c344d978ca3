"""Infinity's bitwise multi-scale tokenizers (arXiv 2412.04431; FoundationVision/Infinity infinity/models/bsq_vae)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from evalkit.errors import EvalkitError
from evalkit.tokenizers.base import Codes
from evalkit.tokenizers.nets.residual_bits import ChooseBits, Grid, decode_bits, encode_bits
from evalkit.tokenizers.nets.taming import TamingConfig, TamingDecoder, TamingEncoder
from evalkit.tokenizers.network import NetworkTokenizer
from evalkit.tokenizers.registry import register
from evalkit.weights.layout import unwrap

# Code maps (rows, columns), coarse to fine, by ratio of the sides (infinity/utils/dynamic_resolution.py).
RATIOS: tuple[tuple[Grid, ...], ...] = tuple(
    tuple((int(rows), int(columns)) for rows, columns in (pair.split("x") for pair in line.split()))
    for line in (
        "1x1 2x2 4x4 6x6 8x8 12x12 16x16 20x20 24x24 32x32 40x40 48x48 64x64",
        "1x1 2x2 3x3 5x4 10x8 15x12 20x16 25x20 30x24 35x28 45x36 55x44 70x56",
        "1x1 2x2 4x3 8x6 12x9 16x12 20x15 24x18 28x21 36x27 48x36 60x45 72x54",
        "1x1 2x2 3x2 6x4 9x6 15x10 21x14 27x18 33x22 39x26 48x32 63x42 78x52",
        "1x1 2x2 3x3 7x4 11x6 14x8 21x12 28x16 35x20 42x24 56x32 70x40 84x48",
        "1x1 2x2 4x2 6x3 10x5 16x8 22x11 30x15 38x19 46x23 60x30 74x37 90x45",
        "1x1 2x2 5x2 10x4 15x6 20x8 25x10 30x12 40x16 50x20 65x26 80x32 100x40",
        "1x1 2x2 6x2 9x3 15x5 21x7 27x9 36x12 45x15 54x18 72x24 90x30 111x37",
    )
)
LENGTHS = (7, 10, 12, 13)  # scales of 0.06, 0.25, 0.6 and 1 million pixels


def _schedules() -> dict[Grid, tuple[Grid, ...]]:
    upright = [maps[:length] for maps in RATIOS for length in LENGTHS]
    lying = [tuple((columns, rows) for rows, columns in scales) for scales in upright]
    return {scales[-1]: scales for scales in (*lying, *upright)}


SCHEDULES = _schedules()


def finest(grid: Grid) -> Grid:
    """Rows and columns of the largest map in the table that has images of the ratio of `grid`, a last map itself."""
    maps = next(maps for maps in RATIOS for length in LENGTHS if maps[length - 1] in (grid, grid[::-1]))
    return maps[-1] if grid in maps else (maps[-1][1], maps[-1][0])


@dataclass(frozen=True)
class InfinityConfig:
    """`bits` of each code; `schedules`: the scales, coarse to fine, by the grid of the last one."""

    bits: int
    net: TamingConfig
    schedules: tuple[tuple[Grid, ...], ...] = tuple(SCHEDULES.values())


def config(bits: int) -> InfinityConfig:
    """The official sizes with `bits` bits a code."""
    return InfinityConfig(bits, TamingConfig(mult=(1, 2, 4, 4, 4), z=bits, middle=False))


class InfinityNetwork(nn.Module):
    """Encoder and decoder; the signs between them have no parameters."""

    def __init__(self, config: InfinityConfig) -> None:
        super().__init__()
        self.encoder = TamingEncoder(config.net)
        self.decoder = TamingDecoder(config.net)


def _doubled(scales: tuple[Grid, ...]) -> tuple[Grid, ...]:
    return tuple((2 * rows, 2 * columns) for rows, columns in scales)


@register(
    "infinity-d56-f8",
    weights="infinity_vae_d56_f8_14_patchify.pth",
    config=InfinityConfig(
        14, TamingConfig(mult=(1, 2, 4, 4), z=14, middle=False), tuple(map(_doubled, SCHEDULES.values()))
    ),
)
@register("infinity-d64", weights="infinity_vae_d64.pth", config=config(64))
@register("infinity-d32reg", weights="infinity_vae_d32reg.pth", config=config(32))
@register("infinity-d32", weights="infinity_vae_d32.pth", config=config(32))
@register("infinity-d24", weights="infinity_vae_d24.pth", config=config(24))
@register("infinity-d16", weights="infinity_vae_d16.pth", config=config(16))
class Infinity(NetworkTokenizer):
    """Bits int8 [B, N, d]: the scales one after the other, raster order in each, channel k in column k.

    Images have one of the sizes that the official schedule lists (256, 512, 768 and 1024 px squares, and sides in 7
    other ratios of about the same areas).
    """

    wrapping: ClassVar[tuple[str, ...]] = ("vae", "ema")
    unused: ClassVar[tuple[str, ...]] = (r"^quantizer?\.lfq\.(mask|zero)$",)
    architecture = InfinityNetwork
    config: InfinityConfig
    network: InfinityNetwork

    @classmethod
    def official_state(cls, checkpoint: dict[str, Any], network: nn.Module) -> dict[str, Tensor]:
        """`vae`, else `ema`; official files may name a layer with or without the inner `.conv` or `.norm`."""
        own = network.state_dict()
        state = unwrap(checkpoint, cls.wrapping)
        return {
            key if key in own else re.sub(r"\.(?:conv|norm)(?=\.(?:weight|bias)$)", "", key): value
            for key, value in state.items()
        }

    def setup(self) -> None:
        """Strides, schedules and the side, which is that of the largest square, follow from the configuration."""
        self.multiple = self.config.net.stride
        self.schedules = {scales[-1]: scales for scales in self.config.schedules}
        self.native_size = self._squares()[-1]

    def bits_per_code(self) -> float:
        """The number of bits."""
        return float(self.config.bits)

    def check_size(self, height: int, width: int) -> None:
        """Raise unless the official schedule lists height x width images."""
        super().check_size(height, width)
        if (height // self.multiple, width // self.multiple) not in self.schedules:
            raise EvalkitError(
                f"{self.name} has no scale schedule for {height}x{width} images; squares of "
                f"{', '.join(map(str, self._squares()))} px and the sizes of the official ratio table have one. Give --size"
            )

    def _squares(self) -> list[int]:
        return sorted(rows * self.multiple for rows, columns in self.schedules if rows == columns)

    def tokens_per_image(self, height: int, width: int) -> int:
        """Codes of all scales together."""
        self.check_size(height, width)
        return sum(self.scale_lengths((height // self.multiple, width // self.multiple)))

    def scale_lengths(self, grid: Grid) -> tuple[int, ...]:
        """Codes of each scale where the last map has `grid` (rows, columns)."""
        return tuple(rows * columns for rows, columns in self.schedules[grid])

    @torch.inference_mode()
    def encode_choosing(self, images: Tensor, choose: ChooseBits) -> Codes:
        """Codes that `choose` picks scale by scale inside the residual loop, for images [B, 3, H, W] in [0, 1]."""
        self.check_size(int(images.shape[2]), int(images.shape[3]))
        with self._exact():
            return self._quantise(images.to(self.device, torch.float32) * 2 - 1, choose)

    def _encode(self, x: Tensor) -> Codes:
        return self._quantise(x, None)

    def _quantise(self, x: Tensor, choose: ChooseBits | None) -> Codes:
        f = self.network.encoder(x)
        grid = (int(f.shape[2]), int(f.shape[3]))
        bits = torch.cat(encode_bits(f, self.schedules[grid], choose), dim=1)
        return Codes(bits=bits, scale_lengths=self.scale_lengths(grid), grid=grid)

    def _decode(self, codes: Codes, seed: int, noise: Tensor | None) -> Tensor:
        grid = self._grid_of(codes)
        parts = torch.split(codes.values.to(self.device), list(self.scale_lengths(grid)), dim=1)
        out: Tensor = self.network.decoder(decode_bits(list(parts), self.schedules[grid]))
        return out

    def _grid_of(self, codes: Codes) -> Grid:
        given = tuple(codes.values.shape)
        if codes.bits is not None and len(given) == 3 and given[2] == self.config.bits:
            fitting = [grid for grid in self.schedules if sum(self.scale_lengths(grid)) == given[1]]
            if codes.grid in fitting:
                return codes.grid
            if codes.grid is None and len(fitting) == 1:
                return fitting[0]
            if codes.grid is None and fitting:
                raise EvalkitError(
                    f"{given[1]} codes fill maps of {' or '.join(f'{h}x{w}' for h, w in fitting)}; "
                    "give codes(..., grid=(rows, columns))"
                )
        where = "" if codes.grid is None else f" for a last map of {codes.grid[0]}x{codes.grid[1]}"
        raise EvalkitError(
            f"{self.name} decodes bits [B, N, {self.config.bits}], N the codes of all scales of a listed size (521 at "
            f"256 px); codes of shape {given}{where} given"
        )
