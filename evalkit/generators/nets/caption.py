"""Text features in front of a decoder, with the mask of their padding (LlamaGen's text-to-image models)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class TextFeatures:
    """Features [B, T, D] of captions, padded at the left, and `mask` [B, T]: True where there is a token."""

    values: Tensor
    mask: Tensor

    def packed(self) -> Tensor:
        """[B, T, D + 1]: the mask as one more channel, so that both travel as one tensor."""
        return torch.cat([self.values, self.mask[..., None].to(self.values)], -1)

    @classmethod
    def left_padded(cls, values: Tensor, mask: Tensor) -> TextFeatures:
        """From features padded at the right, as tokenizers give them; what the padding holds becomes zero."""
        order = torch.sort(mask.bool().long(), dim=1, stable=True).indices
        turned = mask.bool().gather(1, order)
        return cls(values.gather(1, order[..., None].expand_as(values)) * turned[..., None].to(values), turned)


class CaptionMLP(nn.Module):
    """Two layers without biases around a tanh GELU."""

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(features, width, bias=False)
        self.fc2 = nn.Linear(width, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """[B, T, features] -> [B, T, width]."""
        y: Tensor = self.fc2(F.gelu(self.fc1(x), approximate="tanh"))
        return y


class CaptionEmbedding(nn.Module):
    """Projects text features; `uncond_embedding` stands for no text."""

    uncond_embedding: Tensor

    def __init__(self, features: int, width: int, count: int) -> None:
        super().__init__()
        self.cap_proj = CaptionMLP(features, width)
        self.register_buffer("uncond_embedding", torch.zeros(count, features))
        self.features = features

    def forward(self, text: Tensor) -> Tensor:
        """[B, T, features], or with the mask as a last channel, -> [B, T, width]."""
        y: Tensor = self.cap_proj(text[..., : self.features].to(self.cap_proj.fc1.weight))
        return y

    def null(self, text: Tensor) -> Tensor:
        """No text, under the mask of `text`: the official sampler masks both branches alike."""
        empty = self.uncond_embedding.to(text).expand(len(text), -1, -1)
        return torch.cat([empty, text[..., self.features :]], -1)

    def mask(self, text: Tensor, length: int) -> Tensor | None:
        """[B, 1, length, length]: causal, without the padding but for each position itself; None without a mask."""
        if text.shape[-1] == self.features:
            return None
        count = text.shape[1]
        seen = torch.ones(length, length, dtype=torch.bool, device=text.device).tril().repeat(len(text), 1, 1)
        seen[:, :, :count] &= text[:, None, :, self.features].bool()
        seen |= torch.eye(length, dtype=torch.bool, device=text.device)
        return seen[:, None]
