"""DC-AE, RAE and VQModel: tiny folders written by diffusers itself, the same codes and images as diffusers gives."""

import pytest
import torch
from helpers.near import same

from evalkit.errors import EvalkitError, WeightsError
from evalkit.tokenizers.registry import load_tokenizer

diffusers = pytest.importorskip("diffusers")
pytest.importorskip("transformers")


def vq(path, codes=4096, **more):
    torch.manual_seed(0)
    kinds = {"down_block_types": ("DownEncoderBlock2D",) * 2, "up_block_types": ("UpDecoderBlock2D",) * 2}
    sizes = {"block_out_channels": (8, 8), "norm_num_groups": 4, "latent_channels": 6, "vq_embed_dim": 5}
    model = diffusers.VQModel(**{**kinds, **sizes, **more}, num_vq_embeddings=codes)
    model.quantize.embedding.weight.data.normal_()
    model.save_pretrained(path)
    return model.eval()


def dc(path, channels=32):
    torch.manual_seed(0)
    blocks = {f"{part}_block_types": ("ResBlock", "EfficientViTBlock") for part in ("encoder", "decoder")}
    widths = {f"{part}_block_out_channels": (8, 16) for part in ("encoder", "decoder")}
    depths = {f"{part}_layers_per_block": (1, 1) for part in ("encoder", "decoder")}
    scales = {f"{part}_qkv_multiscales": ((), (5,)) for part in ("encoder", "decoder")}
    short = {"encoder_out_shortcut": False, "decoder_in_shortcut": False}
    model = diffusers.AutoencoderDC(
        latent_channels=channels, attention_head_dim=8, **blocks, **widths, **depths, **scales, **short
    )
    model.save_pretrained(path)
    return model.eval()


def rae(path):
    torch.manual_seed(0)
    encoder = {"encoder_hidden_size": 64, "encoder_num_hidden_layers": 1, "encoder_input_size": 28}
    decoder = {"decoder_hidden_size": 32, "decoder_num_hidden_layers": 1, "decoder_num_attention_heads": 2}
    model = diffusers.AutoencoderRAE(**encoder, **decoder, decoder_intermediate_size=48, patch_size=8)
    model.save_pretrained(path)
    return model.eval()


@torch.no_grad()
def test_vq_diffusion_codes_and_images_are_the_librarys(tmp_path):
    peer = vq(tmp_path)
    model = load_tokenizer("vq-diffusion", tmp_path, device="cpu")
    x = torch.rand(2, 3, 8, 12)
    codes = model.encode(x)
    z = peer.encode(x * 2 - 1).latents
    picked = peer.quantize(z)[2][2].reshape(2, -1)
    assert torch.equal(codes.indices, picked)
    assert codes.indices.shape == (2, model.tokens_per_image(8, 12)) == (2, 24)
    assert len(codes.indices.unique()) > 2
    same(model.decode(codes), (peer.decode(z).sample + 1) / 2)
    assert model.vocab_size == 4096
    assert model.bits_per_code() == 12


def test_vq_with_spatial_norms_sees_its_codes_in_the_decoder(tmp_path):
    ups = ("AttnUpDecoderBlock2D",) * 2
    peer = vq(tmp_path, up_block_types=ups, norm_type="spatial", block_out_channels=(32, 32), latent_channels=5)
    model = load_tokenizer("vq-diffusion", tmp_path, device="cpu")
    x = torch.rand(1, 3, 8, 8)
    with torch.no_grad():
        wanted = peer.decode(peer.encode(x * 2 - 1).latents).sample
    same(model.decode(model.encode(x)), (wanted + 1) / 2)


def test_a_pickled_bin_is_read_safely_and_safetensors_come_first(tmp_path):
    peer = vq(tmp_path)
    x = torch.rand(1, 3, 8, 8)
    before = load_tokenizer("vq-diffusion", tmp_path, device="cpu").encode(x).indices
    wrong = {key: value + 1 for key, value in peer.state_dict().items()}
    torch.save(wrong, tmp_path / "diffusion_pytorch_model.bin")
    assert torch.equal(load_tokenizer("vq-diffusion", tmp_path, device="cpu").encode(x).indices, before)
    (tmp_path / "diffusion_pytorch_model.safetensors").unlink()
    torch.save(peer.state_dict(), tmp_path / "diffusion_pytorch_model.bin")
    assert torch.equal(load_tokenizer("vq-diffusion", tmp_path, device="cpu").encode(x).indices, before)
    (tmp_path / "diffusion_pytorch_model.bin").unlink()
    with pytest.raises(WeightsError, match="does not hold it"):
        load_tokenizer("vq-diffusion", tmp_path)


@torch.no_grad()
@pytest.mark.parametrize(("name", "make", "signed", "size"), [("dc-ae", dc, True, 16), ("rae", rae, False, 16)])
def test_latents_and_images_are_the_librarys(tmp_path, name, make, signed, size):
    peer = make(tmp_path)
    model = load_tokenizer(name, tmp_path, device="cpu")
    x = torch.rand(2, 3, size, size)
    codes = model.encode(x)
    wanted = peer.encode(x * 2 - 1 if signed else x).latent
    same(codes.latent, wanted)
    shown = peer.decode(wanted).sample
    same(model.decode(codes), (shown + 1) / 2 if signed else shown)
    assert model.decode(codes).shape == x.shape
    assert codes.latent[0, 0].numel() == model.tokens_per_image(size, size)
    assert len(model.weights_sha256) == 64


def test_rae_takes_the_size_its_decoder_makes(tmp_path):
    rae(tmp_path)
    model = load_tokenizer("rae", tmp_path, device="cpu")
    assert (model.native_size, model.multiple) == (16, 8)
    with pytest.raises(EvalkitError, match="16x16 images only"):
        model.encode(torch.rand(1, 3, 24, 24))


def test_another_models_folder_is_one_sentence(tmp_path):
    vq(tmp_path / "vq", codes=50)
    with pytest.raises(WeightsError, match="has 50 codes, vq-diffusion has 4096"):
        load_tokenizer("vq-diffusion", tmp_path / "vq")
    dc(tmp_path / "dc", channels=4)
    with pytest.raises(WeightsError, match="has 4 latent channels, dc-ae has 32"):
        load_tokenizer("dc-ae", tmp_path / "dc")
    with pytest.raises(WeightsError, match="holds a AutoencoderDC, AutoencoderRAE expected"):
        load_tokenizer("rae", tmp_path / "dc")
