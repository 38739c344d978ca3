"""What the tests of tokenizer families share: tiny networks that load as official files do, and key digests."""

import hashlib

import pytest
import torch

from evalkit.tokenizers.registry import TOKENIZERS, Entry, load_tokenizer


def _scatter(network, seed=0):
    """Random weights with biases and norms away from their defaults, so that no parameter can be left out unseen."""
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, value in network.state_dict().items():
        noise = torch.randn(value.shape, generator=generator)
        if value.ndim >= 2:
            state[name] = noise / max(1.0, float(value[0].numel()) ** 0.5)
        else:
            state[name] = 0.05 * noise + (1.0 if name.endswith("weight") else 0.0)
    return state


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """`tiny(cls, config, weights=KEY)`: load_tokenizer of a small network from a file written by `wrap(state)`."""

    def load(cls, config, *, weights, wrap=lambda state: state, suffix=".bin", seed=0, dtype="float32"):
        TOKENIZERS.get("llamagen-vq16")  # fills the registry
        monkeypatch.setitem(TOKENIZERS._items, "tiny", Entry("tiny", cls, config, weights))
        torch.manual_seed(seed)
        content = wrap(_scatter(cls.build(config), seed))
        path = tmp_path / f"official-{len(list(tmp_path.iterdir()))}{suffix}"  # never over a file that is mapped
        if suffix == ".safetensors":
            from safetensors.torch import save_file

            save_file(content, path)
        else:
            torch.save(content, path)
        return load_tokenizer("tiny", weights=path, device="cpu", dtype=dtype)

    return load


@pytest.fixture
def key_digest():
    """`key_digest(cls, config)`: number of keys and a digest of all names and shapes; nothing is allocated."""

    def digest(cls, config):
        with torch.device("meta"):
            network = cls.build(config)
        lines = sorted(f"{name} {tuple(value.shape)}" for name, value in network.state_dict().items())
        return len(lines), hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]

    return digest
