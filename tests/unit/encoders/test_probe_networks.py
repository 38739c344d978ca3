"""Networks of PIE-Bench and OneIG-Bench on tiny layouts; numbers are of the authors' code with the same weights."""

import json

import numpy as np
import open_clip
import pytest
import torch
from helpers.filled import filled, stream

from evalkit.encoders.clip_vision import ClipVision
from evalkit.encoders.features.style import Csd, OneigStyle
from evalkit.encoders.llm2clip import TEXT, Adapter, Llm2Clip, embedded
from evalkit.encoders.perceptual.dreamsim import FILES, LORA, DreamSim, with_low_rank
from evalkit.encoders.perceptual.structure import StructureDistance
from evalkit.encoders.registry import load_distance, load_extractor
from evalkit.encoders.vit_dino import PlainVit, VitSize
from evalkit.errors import EvalkitError, WeightsError
from evalkit.weights.find import weights_manifest

CPU = torch.device("cpu")
TINY = VitSize(patch=4, width=24, layers=2, heads=3, side=16)
CLIP = {
    "embed_dim": 12,
    "vision_cfg": {"image_size": 24, "layers": 1, "width": 32, "head_width": 16, "patch_size": 8},
    "text_cfg": {"context_length": 20, "vocab_size": 100, "width": 16, "heads": 2, "layers": 1},
}


def image(name, side=40):
    return torch.from_numpy(stream(name).integers(0, 256, (1, 3, side, side), dtype=np.uint8))


def state_of(network, prefix=""):
    return {key: filled(prefix + key, tuple(value.shape)) for key, value in network.state_dict().items()}


def structure(tmp_path):
    torch.save(state_of(PlainVit(TINY)), tmp_path / "dino.pth")
    return StructureDistance(tmp_path / "dino.pth", CPU, size=TINY)


def test_structure_distance_is_the_official_one_on_both_scales(tmp_path):
    network, one, two = structure(tmp_path), image("a").float(), image("b").float()
    assert float(network.distance(one / 255, two / 255)) == pytest.approx(0.18323616683483124, rel=1e-4)
    assert float(network.distance(one, two)) == pytest.approx(0.008076616562902927, rel=1e-4)
    assert float(network.distance(one, one)) == 0
    both = network.distance(torch.cat([one, two]), torch.cat([two, two]))
    assert both.tolist() == pytest.approx([float(network.distance(one, two)), 0], rel=1e-4, abs=1e-9)
    with pytest.raises(EvalkitError, match="takes two"):
        network.distance(one, two[:, :1])


@pytest.fixture
def dreamsim_folder(tmp_path):
    sizes = {"dino.": TINY, "clip.": VitSize(4, 24, 2, 3, 16, True, True), "open.": VitSize(4, 24, 2, 3, 16, True)}
    low = {}
    for place, ((prefix, size), file) in enumerate(zip(sizes.items(), FILES, strict=True)):
        state = state_of(PlainVit(size), prefix)
        if place:
            state = {"state_dict": {**state, "proj": filled(f"{prefix}proj", (24, 10))}}
        torch.save(state, tmp_path / file)
        for layer in range(2):
            name = f"base_model.model.extractor_list.{place}.model.blocks.{layer}.attn.qkv"
            low[f"{name}.lora_A.weight"] = filled(f"l.{place}.{layer}.A", (2, 24))
            low[f"{name}.lora_B.weight"] = filled(f"l.{place}.{layer}.B", (72, 2))
    (tmp_path / LORA).mkdir()
    (tmp_path / LORA / "adapter_config.json").write_text(json.dumps({"r": 2, "lora_alpha": 0.5}))
    torch.save(low, tmp_path / LORA / "adapter_model.bin")
    return tmp_path


def test_dreamsim_is_the_official_ensemble(dreamsim_folder):
    network, one, two = DreamSim(dreamsim_folder, CPU, size=TINY), image("a"), image("b")
    assert float(network.distance(one / 255, two / 255)) == pytest.approx(0.3148687481880188, rel=1e-4)
    assert float(network.distance(one / 255, one / 255)) == pytest.approx(0, abs=1e-6)
    rows = network.embeddings(torch.cat([one, two]))
    assert rows.square().sum(1).tolist() == pytest.approx([1, 1], rel=1e-5)
    assert 1 - float(rows[0] @ rows[1]) == pytest.approx(0.3148687481880188, rel=1e-4)


def test_what_does_not_fit_dreamsim_is_said_in_one_sentence(dreamsim_folder):
    with pytest.raises(WeightsError, match="does not fit the network"):
        with_low_rank({}, {"extractor_list.0.model.a.lora_A.weight": torch.zeros(1, 2)}, 0, 1.0)
    (dreamsim_folder / LORA / "adapter_config.json").write_text("{}")
    with pytest.raises(WeightsError, match="names no lora_alpha"):
        DreamSim(dreamsim_folder, CPU, size=TINY)
    (dreamsim_folder / LORA / "adapter_model.bin").unlink()
    with pytest.raises(WeightsError, match="Unpack the official file"):
        DreamSim(dreamsim_folder, CPU, size=TINY)


def test_csd_projects_by_its_own_matrix(tmp_path):
    tower = open_clip.CLIP(12, CLIP["vision_cfg"], CLIP["text_cfg"], quick_gelu=True).visual
    state = {f"module.backbone.{key}": each for key, each in state_of(tower).items() if key != "proj"}
    state |= {"module.last_layer_style": filled("style", (32, 12)), "module.last_layer_content": torch.zeros(32, 12)}
    torch.save({"model_state_dict": state}, tmp_path / "pytorch_model.bin")
    found = Csd(tmp_path / "pytorch_model.bin", CPU, config=CLIP).features(image("a"))[0, :4]
    wanted = [-0.3094732463359833, 0.02924477495253086, -0.3360058665275574, -0.3162447512149811]
    assert found.tolist() == pytest.approx(wanted, rel=1e-4)


def clip_folder(folder, more=None):
    """A tiny image tower as transformers keeps it, and the library's own network."""
    from safetensors.torch import save_file
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    sizes = {"hidden_size": 32, "intermediate_size": 80, "num_hidden_layers": 2, "num_attention_heads": 2}
    sizes |= {"image_size": 24, "patch_size": 8, "projection_dim": 12, "hidden_act": "gelu"}
    network = CLIPVisionModelWithProjection(CLIPVisionConfig(**sizes)).eval()
    state = {k: filled(k, tuple(v.shape)) for k, v in network.state_dict().items() if "position_ids" not in k}
    network.load_state_dict(state, strict=False)
    folder.mkdir(exist_ok=True)
    save_file({**state, **(more or {})}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"vision_config": sizes, "projection_dim": 12}))
    return network


def test_image_towers_in_transformers_layout_are_the_library_s(tmp_path):
    peer, square = clip_folder(tmp_path / "tower"), image("a", 24)
    found = OneigStyle(tmp_path / "tower", CPU)
    assert found.dim == 12
    mean, std = (
        torch.tensor(each).view(3, 1, 1) for each in (open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD)
    )
    with torch.no_grad():
        wanted = peer(pixel_values=(square / 255 - mean) / std).image_embeds
    wanted = torch.nn.functional.normalize(wanted, dim=1)
    assert found.features(square)[0].tolist() == pytest.approx(wanted[0].tolist(), rel=1e-3, abs=1e-5)
    (tmp_path / "tower" / "config.json").write_text("{}")
    with pytest.raises(WeightsError, match="is not of a CLIP image tower"):
        ClipVision(tmp_path / "tower", {}, CPU, "x")


def language_folder(folder):
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaModel, PreTrainedTokenizerFast

    words = {word: place for place, word in enumerate(["?", "a", "red", "cat", "<|eot_id|>", "user"])}
    made = Tokenizer(models.WordLevel(words, unk_token="?"))
    made.pre_tokenizer = pre_tokenizers.Split(" ", "removed")
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=made, unk_token="?")
    tokenizer.add_tokens(["<|eot_id|>"], special_tokens=True)
    tokenizer.save_pretrained(folder)
    sizes = {"hidden_size": 12, "intermediate_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    torch.manual_seed(0)
    model = LlamaModel(LlamaConfig(vocab_size=16, num_key_value_heads=2, max_position_embeddings=64, **sizes))
    model.save_pretrained(folder)
    for name in weights_manifest()[TEXT].files:  # the official folder holds its weights in four parts
        (folder / name).touch()
    return model.eval(), tokenizer


def test_a_text_is_the_mean_of_its_own_tokens_that_see_all_others(tmp_path):
    model, tokenizer = language_folder(tmp_path)
    found = embedded(model, tokenizer, "a red cat")
    ids = tokenizer("<|start_header_id|>user<|end_header_id|>\n\na red cat<|eot_id|>", return_tensors="pt").input_ids
    mask = torch.zeros(1, 1, ids.shape[1], ids.shape[1])
    with torch.no_grad():
        whole = model(input_ids=ids, attention_mask=mask).last_hidden_state
        causal = model(input_ids=ids).last_hidden_state
    own = len(tokenizer("a red cat<|eot_id|>").input_ids)
    assert found[0].tolist() == pytest.approx(whole[0, -own:].mean(0).tolist(), rel=1e-4, abs=1e-6)
    assert found[0].tolist() != pytest.approx(causal[0, -own:].mean(0).tolist(), rel=1e-2)


def test_llm2clip_scores_by_the_cosine_of_both_halves(tmp_path):
    adapter = Adapter(12, 24, 12, 2)
    state = {key: filled(key, tuple(each.shape)) for key, each in adapter.state_dict().items()}
    wide = Adapter(12, 24, 5, 2)
    wide.load_state_dict({key: filled(key, tuple(each.shape)) for key, each in wide.state_dict().items()})
    text = torch.from_numpy(stream("text").standard_normal((1, 12), dtype=np.float32))
    wanted = [-0.2193564623594284, 0.6059086918830872, -1.7521902322769165, 0.42626339197158813, 0.5479070544242859]
    assert wide.eval()(text)[0].tolist() == pytest.approx(wanted, rel=1e-4)
    clip_folder(tmp_path / "tower", {f"text_adapter.adaptor.{key}": each for key, each in state.items()})
    language_folder(tmp_path / "texts")
    scorer = Llm2Clip(tmp_path / "tower", CPU, texts=tmp_path / "texts")
    pair = torch.cat([image("a", 24), image("b", 24)])
    found = scorer.score(pair, ["a red cat", "a cat"])
    seen, said = scorer.vision(pair), torch.cat([scorer.text("a red cat"), scorer.text("a cat")])
    assert found == pytest.approx(torch.nn.functional.cosine_similarity(seen, said).tolist(), rel=1e-5)
    clip_folder(tmp_path / "bare")
    with pytest.raises(WeightsError, match=r"holds no text_adapter\.adaptor"):
        Llm2Clip(tmp_path / "bare", CPU, texts=tmp_path / "texts")


def test_networks_say_what_they_need(tmp_path, monkeypatch):
    monkeypatch.setenv("EVALKIT_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for name in ("dino-structure", "dreamsim"):
        with pytest.raises(WeightsError, match="are not here"):
            load_distance(name, device="cpu")
    for name in ("csd", "oneig-style"):
        with pytest.raises(WeightsError, match="are not here"):
            load_extractor(name, device="cpu")
