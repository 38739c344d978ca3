"""MaskGIT's VQGAN: official names, the shortcut of the output, batch invariance, the clamp of the official decode."""

from functools import partial

import torch
from helpers.tensors import random_images

from evalkit.tokenizers.maskgit import MaskGitVQConfig, MaskGitVQGAN
from evalkit.tokenizers.nets.maskgit import Decoder, MaskGitConfig, OutputShortcutBlock
from evalkit.tokenizers.registry import TOKENIZERS

images = partial(random_images, height=16, width=8)

TINY = MaskGitVQConfig(MaskGitConfig(z=8, mult=(1, 2, 2), ch=32, blocks=2), codes=16)


def test_decode_clamps_as_the_official_one(tiny):
    def stretch(state):
        return {key: value * (50 if key == "decoder.conv_out.weight" else 1) for key, value in state.items()}

    model = tiny(MaskGitVQGAN, TINY, weights="maskgit-vqgan-imagenet-f16-256.bin", wrap=stretch)
    out = model.decode(model.encode(images()))
    assert (out.min(), out.max()) == (0.0, 1.0)


def test_shortcut_takes_the_result_and_drops_the_input_where_the_width_changes():
    torch.manual_seed(0)
    block = OutputShortcutBlock(32, 64)
    torch.nn.init.zeros_(block.conv2.weight)
    with torch.no_grad():
        assert block(torch.randn(1, 32, 4, 4)).abs().max() == 0
        assert OutputShortcutBlock(32, 32)(torch.randn(1, 32, 4, 4)).abs().max() > 0


def test_decoder_levels_are_numbered_finest_first_in_maskgit_and_in_execution_order_in_maskbit():
    sizes = {}
    for maskbit in (False, True):
        net = Decoder(MaskGitConfig(z=8, mult=(1, 2, 4), ch=32, blocks=1, maskbit=maskbit))
        name = "res_blocks" if maskbit else "block"
        sizes[maskbit] = [net.state_dict()[f"up.{i}.{name}.0.conv1.weight"].shape[0] for i in range(3)]
    assert sizes == {False: [32, 64, 128], True: [128, 64, 32]}


def test_decoder_and_codebook_are_those_inside_two_stage_titok_files():
    with torch.device("meta"):
        own, titok = (TOKENIZERS.get(name) for name in ("maskgit-vqgan", "titok-s128"))
        wanted = titok.cls.build(titok.config).state_dict()
        state = own.cls.build(own.config).state_dict()
    inside = {key.removeprefix("pixel_"): value.shape for key, value in wanted.items() if key.startswith("pixel_")}
    assert {key: value.shape for key, value in state.items() if not key.startswith("encoder.")} == inside
    assert len(inside) == 89


def test_encoder_pools_and_has_the_official_names():
    with torch.device("meta"):
        entry = TOKENIZERS.get("maskgit-vqgan")
        state = entry.cls.build(entry.config).state_dict()
    encoder = {key for key in state if key.startswith("encoder.")}
    assert {"encoder.down.2.block.0.nin_shortcut.weight", "encoder.mid.1.conv2.weight"} <= encoder
    assert state["encoder.conv_out.weight"].shape == (256, 512, 1, 1)
    assert not any("down_conv" in key or key == "encoder.conv_in.bias" for key in encoder)
