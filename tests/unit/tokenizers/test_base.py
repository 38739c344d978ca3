"""What every network tokenizer gets from its base: exact codes in any precision, and images that barely move."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from evalkit.errors import EvalkitError
from evalkit.images import open_images
from evalkit.images.geometry import fit_square
from evalkit.tokenizers.base import Codes
from evalkit.tokenizers.llamagen import LlamaGen, LlamaGenConfig
from evalkit.tokenizers.maskgit import MaskGitVQConfig, MaskGitVQGAN
from evalkit.tokenizers.nets.maskgit import MaskGitConfig
from evalkit.tokenizers.nets.taming import TamingConfig
from evalkit.tokenizers.network import NetworkTokenizer
from evalkit.tokenizers.taming import Taming, VqganConfig
from tests.helpers.peaks import peak_of_script

NET = TamingConfig(ch=32, mult=(1, 2), blocks=1, z=32, attention=frozenset({1}))
CASES = {
    "llamagen": (LlamaGen, LlamaGenConfig(mult=(1, 2), codes=50, code_dim=4, ch=32, blocks=1, z=32)),
    "taming": (Taming, VqganConfig(NET, codes=50, code_dim=8)),
    "maskgit": (MaskGitVQGAN, MaskGitVQConfig(MaskGitConfig(z=8, mult=(1, 2, 2), ch=32, blocks=2), codes=16)),
}


def small(case, dtype=torch.float32):
    cls, config = CASES[case]
    torch.manual_seed(0)
    return cls("small", config, cls.build(config), torch.device("cpu"), dtype)


@pytest.fixture(scope="module")
def photos():
    samples = open_images("sample/photos").read(0, 3)
    images = [fit_square(sample.image, 64, "short-bicubic") for sample in samples]
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255


@pytest.mark.parametrize("case", sorted(CASES))
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_codes_are_those_of_float32_in_any_precision(case, dtype, photos):
    assert torch.equal(small(case).encode(photos).values, small(case, dtype).encode(photos).values)


@pytest.mark.parametrize("case", sorted(CASES))
def test_decoding_in_float16_moves_psnr_by_less_than_a_hundredth(case, photos):
    codes = small(case).encode(photos)
    exact, low = (small(case, dtype).decode(codes) for dtype in (torch.float32, torch.float16))
    assert not torch.equal(exact, low)
    error = float(((exact - low) / exact.std() * photos.std()).square().mean())
    assert 10 * math.log10(1 + error / 10**-2.5) < 0.01  # of a reconstruction at 25 dB


class Loud(NetworkTokenizer):
    """Its decoder leaves the range of float16 on the way."""

    @classmethod
    def build(cls, config):
        return nn.Conv2d(3, 3, 1)

    def _encode(self, x):
        return Codes(latent=x)

    def _decode(self, codes, seed, noise):
        loud = torch.nn.functional.conv2d(codes.values * 60000, torch.full((3, 3, 1, 1), 2.0))
        return loud / 360000

    def tokens_per_image(self, height, width):
        return None


def test_a_decoder_that_overflows_float16_decodes_in_float32():
    x = torch.rand(1, 3, 8, 8)
    exact, low = (
        Loud("loud", None, nn.Conv2d(3, 3, 1), torch.device("cpu"), d) for d in (torch.float32, torch.float16)
    )
    codes = exact.encode(x)
    assert torch.equal(exact.decode(codes), low.decode(codes))


def test_compiled_parts_give_the_same_images(photos, monkeypatch):
    compile = torch.compile
    monkeypatch.setattr(torch, "compile", lambda part: compile(part, backend="eager"))
    model, plain = small("taming"), small("taming")
    model.compile()
    assert torch.equal(model.encode(photos).indices, plain.encode(photos).indices)
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(EvalkitError, match="compiler"):
        model.compile()


def test_nearest_code_search_at_a_quarter_of_a_million_codes_keeps_memory_flat():
    script = """
import sys, torch
from evalkit.tokenizers.nets.quantize import nearest_code
torch.set_num_threads(1)
codebook = torch.randn(2**18, 4)
nearest_code(torch.randn(int(sys.argv[1]), 4), codebook)
"""
    least, few, many = (peak_of_script(script, [n]) for n in ("64", "512", "2048"))
    assert few - least < 512
    assert many - few < 64
