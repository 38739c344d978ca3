import json
import sys

import pytest
import torch
from helpers.near import same

from evalkit.errors import EvalkitError, MissingDependency, WeightsError
from evalkit.tokenizers.diffusers_vae import DiffusersVae, VaeConfig
from evalkit.tokenizers.registry import describe_tokenizer, load_tokenizer

diffusers = pytest.importorskip("diffusers")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("vae") / "sd-vae"
    torch.manual_seed(0)
    widths = (8, 8, 8, 8)
    kinds = {"down_block_types": ("DownEncoderBlock2D",) * 4, "up_block_types": ("UpDecoderBlock2D",) * 4}
    diffusers.AutoencoderKL(block_out_channels=widths, norm_num_groups=4, latent_channels=4, **kinds).save_pretrained(
        path
    )
    return path


def test_codes_and_images_are_the_librarys(folder):
    model = load_tokenizer("sd-vae-ft-mse", folder, device="cpu")
    peer = diffusers.AutoencoderKL.from_pretrained(folder)
    x = torch.rand(2, 3, 32, 48)
    with torch.no_grad():
        wanted = peer.encode(x * 2 - 1).latent_dist.mode()
        shown = (peer.decode(wanted).sample + 1) / 2
    codes = model.encode(x)
    same(codes.latent, wanted)
    same(model.decode(codes), shown)
    assert codes.latent[0, 0].numel() == model.tokens_per_image(32, 48) == 24
    assert len(model.weights_sha256) == 64
    assert model.image_bits(codes) == [None, None]


def test_it_is_described_without_its_weights_in_memory(folder):
    known, loaded = describe_tokenizer("sd-vae-ft-mse", folder), load_tokenizer("sd-vae-ft-mse", folder, device="cpu")
    assert {each.device.type for each in known.network.parameters()} == {"meta"}
    assert known.weights_sha256 == loaded.weights_sha256
    assert (known.multiple, known.native_size) == (loaded.multiple, loaded.native_size)


def test_a_images_latent_does_not_depend_on_its_batch(folder):
    model = load_tokenizer("sd-vae-ft-ema", folder, device="cpu")
    x = torch.rand(3, 3, 16, 16)
    same(model.encode(x).latent[1:2], model.encode(x[1:2]).latent)


def test_sdxl_refuses_the_precision_that_overflows(folder):
    with pytest.raises(EvalkitError, match="NaN in float16; give --dtype bfloat16"):
        load_tokenizer("sdxl-vae", folder, device="cpu", dtype="float16")


def test_wrong_folders_are_one_sentence(folder, tmp_path):
    with pytest.raises(WeightsError, match="4 latent channels, flux-vae has 16"):
        load_tokenizer("flux-vae", folder)
    with pytest.raises(WeightsError, match="does not hold it"):
        load_tokenizer("sd3-vae", tmp_path)
    for config, said in (({"_class_name": "VQModel"}, "holds a VQModel"), ("{", "no readable config.json")):
        text = config if isinstance(config, str) else json.dumps(config)
        (tmp_path / "config.json").write_text(text)
        (tmp_path / "diffusion_pytorch_model.safetensors").write_bytes(b"cut")
        with pytest.raises(WeightsError, match=said):
            load_tokenizer("sd-vae-ft-mse", tmp_path)
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    with pytest.raises(WeightsError, match="is not a whole safetensors file"):
        load_tokenizer("sd-vae-ft-mse", tmp_path)


def test_a_parameter_that_the_file_lacks_is_named_and_not_drawn_at_random(folder, tmp_path):
    from safetensors.torch import load_file, save_file

    state = load_file(folder / "diffusion_pytorch_model.safetensors")
    del state["encoder.conv_in.weight"]
    save_file(state, tmp_path / "diffusion_pytorch_model.safetensors")
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    with pytest.raises(WeightsError, match=r"1 parameters are missing \(encoder\.conv_in\.weight\)"):
        load_tokenizer("sd-vae-ft-mse", tmp_path, device="cpu")


def test_settings_that_make_no_network_are_one_sentence(folder, tmp_path):
    stated = json.loads((folder / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**stated, "down_block_types": ["NoSuchBlock"]}))
    (tmp_path / "diffusion_pytorch_model.safetensors").write_bytes(b"unread")
    with pytest.raises(WeightsError, match="cannot be loaded as sd-vae-ft-mse"):
        load_tokenizer("sd-vae-ft-mse", tmp_path)


def test_attention_under_the_names_of_old_files_is_the_same_network(folder, tmp_path):
    from safetensors.torch import load_file, save_file

    old = {}
    names = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    for key, value in load_file(folder / "diffusion_pytorch_model.safetensors").items():
        for new, former in names.items():
            if f".{new}." in key:
                key = key.replace(f".{new}.", f".{former}.")
                value = value[:, :, None, None].contiguous() if value.ndim == 2 else value
        old[key] = value
    assert any(".proj_attn." in key for key in old)
    save_file(old, tmp_path / "diffusion_pytorch_model.safetensors")
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    x = torch.rand(1, 3, 16, 16)
    before, after = (load_tokenizer("sd-vae-ft-mse", each, device="cpu") for each in (folder, tmp_path))
    assert torch.equal(before.encode(x).latent, after.encode(x).latent)


def test_without_the_library_the_pip_line_is_said(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "diffusers", None)
    with pytest.raises(MissingDependency, match=r"evalkit-ar\[hf\]"):
        load_tokenizer("sd-vae-ft-mse", folder)


def test_it_is_built_from_its_folder_only():
    with pytest.raises(EvalkitError, match="built from its folder"):
        DiffusersVae.build(VaeConfig())
