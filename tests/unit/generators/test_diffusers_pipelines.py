import inspect
import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image as Pillow

diffusers = pytest.importorskip("diffusers")
transformers = pytest.importorskip("transformers")

from evalkit.errors import EvalkitError, WeightsError  # noqa: E402
from evalkit.generators.base import Request  # noqa: E402
from evalkit.generators.diffusers_pipelines import DiffusersGenerator, PipelineConfig  # noqa: E402
from evalkit.generators.given import as_passed, with_given  # noqa: E402
from evalkit.generators.guidance import Guidance  # noqa: E402
from evalkit.generators.registry import GENERATORS, Source, load_generator  # noqa: E402
from evalkit.generators.sampling import Sampler  # noqa: E402
from evalkit.tasks.generate.generate import forbidden  # noqa: E402


@pytest.fixture(scope="module")
def dit(tmp_path_factory):
    """A tiny DiT: 10 classes, 16 px."""
    torch.manual_seed(0)
    transformer = diffusers.DiTTransformer2DModel(
        sample_size=8, num_layers=1, patch_size=4, attention_head_dim=8, num_attention_heads=2, in_channels=4,
        out_channels=8, attention_bias=True, activation_fn="gelu-approximate", num_embeds_ada_norm=1000,
        norm_type="ada_norm_zero", norm_elementwise_affine=False,
    )  # fmt: skip
    vae = diffusers.AutoencoderKL(block_out_channels=(8, 8), down_block_types=("DownEncoderBlock2D",) * 2,
                                  up_block_types=("UpDecoderBlock2D",) * 2, norm_num_groups=4)  # fmt: skip
    path = tmp_path_factory.mktemp("dit")
    diffusers.DiTPipeline(transformer, vae, diffusers.DDIMScheduler()).save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def amused(tmp_path_factory):
    """A tiny aMUSEd: text to 16 px through 4 x 4 codes."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("amused")
    words = [
        "<|startoftext|>",
        "<|endoftext|>",
        "a</w>",
        "red</w>",
        "apple</w>",
        *"abcdelpr",
        *(f"{c}</w>" for c in "bcdelpr"),
    ]
    (path / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}))
    (path / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = transformers.CLIPTokenizer(str(path / "vocab.json"), str(path / "merges.txt"), model_max_length=77)
    text = transformers.CLIPTextModelWithProjection(
        transformers.CLIPTextConfig(
            bos_token_id=0, eos_token_id=1, pad_token_id=1, hidden_size=8, intermediate_size=8, num_attention_heads=1,
            num_hidden_layers=1, vocab_size=len(words), projection_dim=8,
        )
    )  # fmt: skip
    transformer = diffusers.UVit2DModel(
        hidden_size=8, use_bias=False, hidden_dropout=0.0, cond_embed_dim=8, micro_cond_encode_dim=2,
        micro_cond_embed_dim=10, encoder_hidden_size=8, vocab_size=32, codebook_size=8, in_channels=8,
        block_out_channels=8, num_res_blocks=1, downsample=True, upsample=True, block_num_heads=1, num_hidden_layers=1,
        num_attention_heads=1, attention_dropout=0.0, intermediate_size=8, layer_norm_eps=1e-6, ln_elementwise_affine=True,
    )  # fmt: skip
    vqvae = diffusers.VQModel(act_fn="silu", block_out_channels=[8], down_block_types=["DownEncoderBlock2D"],
                              in_channels=3, latent_channels=8, layers_per_block=1, norm_num_groups=8,
                              num_vq_embeddings=8, out_channels=3, sample_size=8, up_block_types=["UpDecoderBlock2D"],
                              mid_block_add_attention=False, lookup_from_codebook=True)  # fmt: skip
    scheduler = diffusers.AmusedScheduler(mask_token_id=31)
    folder = path / "model"
    diffusers.AmusedPipeline(vqvae, tokenizer, text, transformer, scheduler).save_pretrained(folder)
    return folder


def test_a_class_pipeline_draws_from_its_own_seed(dit):
    model = load_generator("dit", dit, "cpu", "float32")
    assert model.conditions == "class"
    assert model.default_sampler.guidance.scale == 4.0
    quick = Sampler(Guidance("constant", 3.0), steps=2)
    requests = [Request(str(i), class_id=i, seed=i, sampler=quick) for i in range(3)]
    together = model.generate(requests)
    alone = [model.generate([request])[0] for request in reversed(requests)][::-1]
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(together, alone, strict=True))
    assert together[0].evaluations == 2
    for i, image in enumerate(together):
        (direct,) = model.pipeline(
            class_labels=[i], guidance_scale=3.0, num_inference_steps=2, generator=torch.Generator().manual_seed(i)
        ).images
        assert np.array_equal(np.asarray(direct), image.pixels)


def test_any_text_pipeline_is_taken_by_its_folder(amused):
    model = load_generator(f"diffusers:{amused}", device="cpu", dtype="float32")
    assert model.conditions == "text"
    request = Request("0", prompt="a red apple", seed=5, sampler=Sampler(steps=2))
    first, again = (model.generate([request])[0] for _ in range(2))
    assert np.array_equal(first.pixels, again.pixels)
    with pytest.raises(EvalkitError, match="lines with a prompt"):
        model.generate([Request("1", class_id=3)])


def test_a_folder_that_brings_code_of_its_own_is_refused(dit, tmp_path):
    for file in dit.rglob("*"):
        target = tmp_path / file.relative_to(dit)
        if file.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes())
    index = json.loads((tmp_path / "model_index.json").read_text())
    index["transformer"] = ["modeling_mine", "MyTransformer"]
    (tmp_path / "model_index.json").write_text(json.dumps(index))
    with pytest.raises(WeightsError, match="would run code"):
        load_generator("dit", tmp_path, "cpu", "float32")
    (tmp_path / "model_index.json").write_text("[")
    with pytest.raises(WeightsError, match="no readable model_index"):
        load_generator("dit", tmp_path, "cpu", "float32")


def test_a_damaged_folder_is_named(dit, tmp_path):
    for file in dit.rglob("*"):
        target = tmp_path / file.relative_to(dit)
        if file.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            data = file.read_bytes()
            target.write_bytes(data[: len(data) // 2] if file.suffix == ".safetensors" else data)
    with pytest.raises(WeightsError, match="cannot be loaded"):
        load_generator("dit", tmp_path, "cpu", "float32")


class Transformer:
    def __init__(self, told):
        self.config = SimpleNamespace(guidance_embeds=told)


def pipeline_of(told=None, **defaults):
    """A stand-in whose call has these parameters."""

    def call(self, prompt=None, generator=None, output_type="pil", **more):
        self.got = more
        return SimpleNamespace(images=[Pillow.new("RGB", (16, 16))])

    taken = {"self": None, "prompt": None, **defaults}
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    call.__signature__ = inspect.Signature([inspect.Parameter(name, kind, default=d) for name, d in taken.items()])
    found = type("Stub", (), {"__call__": call, "to": lambda self, device: self})()
    found.set_progress_bar_config = lambda disable: None
    if told is not None:
        found.transformer = Transformer(told)
    return found


FLUX = {"guidance_scale": 3.5, "true_cfg_scale": 1.0, "negative_prompt": None, "num_inference_steps": 28}
QWEN = {"guidance_scale": None, "true_cfg_scale": 4.0, "negative_prompt": None, "num_inference_steps": 50}
HUNYUAN = {"distilled_guidance_scale": 3.25, "negative_prompt": None, "num_inference_steps": 50}


@pytest.mark.parametrize(
    ("told", "defaults", "by_default", "guided"),
    [
        (True, FLUX, {"guidance_scale": 3.5}, {"guidance_scale": 7.0}),
        (False, FLUX, {"true_cfg_scale": 1.0}, {"true_cfg_scale": 7.0, "negative_prompt": " "}),
        (None, QWEN, {"true_cfg_scale": 4.0, "negative_prompt": " "}, {"true_cfg_scale": 7.0, "negative_prompt": " "}),
        (True, HUNYUAN, {"distilled_guidance_scale": 3.25}, {"distilled_guidance_scale": 7.0}),
        (False, HUNYUAN, {}, None),
        (None, {"num_inference_steps": 4}, {}, None),
    ],
)
def test_guidance_reaches_a_pipeline_by_its_own_name_or_is_refused(told, defaults, by_default, guided):
    pipeline = pipeline_of(told, **defaults)
    source = Source("stub", None, None, None, None, None, torch.device("cpu"), torch.float32)
    model = DiffusersGenerator(source, pipeline, PipelineConfig("stub"))
    steps = {"num_inference_steps": defaults["num_inference_steps"]}
    model.generate([Request("0", prompt="x")])
    assert pipeline.got == {**by_default, **steps} == model.passed(model.default_sampler)
    if guided is None:
        with pytest.raises(EvalkitError, match="stub takes no guidance"):
            with_given(model, model.default_sampler, {"guidance": 7.0})
        assert as_passed(model, model.default_sampler)["guidance"] is None
        return
    sampler = with_given(model, model.default_sampler, {"guidance": 7.0})
    model.generate([Request("0", prompt="x", sampler=sampler)])
    assert pipeline.got == {**guided, **steps}
    said = as_passed(model, sampler)
    assert said["guidance"]["scale"] == 7.0
    assert said["guidance"]["canonical"] is None
    assert {name for name, value in said.items() if value is not None} == {"guidance", "steps"}
    with pytest.raises(EvalkitError, match="stub takes no top-k"):
        with_given(model, model.default_sampler, {"top_k": 5})


class StubEditPipeline:
    """Brightens the image that it is given, and remembers what it was called with."""

    transformer = None

    def __init__(self):
        self.calls = []

    def to(self, device):
        return self

    def set_progress_bar_config(self, **settings):
        pass

    def __call__(
        self, image=None, prompt=None, mask_image=None, num_inference_steps=4, generator=None, output_type=None
    ):
        self.calls.append((prompt, None if mask_image is None else mask_image.size, generator.initial_seed()))
        return SimpleNamespace(images=[image.point(lambda level: level + 10)])


def edit_model():
    source = Source("stub", None, None, None, None, None, torch.device("cpu"), torch.float32)
    return DiffusersGenerator(source, StubEditPipeline(), PipelineConfig("stub"))


def test_a_pipeline_that_takes_an_image_changes_it_round_by_round():
    model, dark = edit_model(), np.zeros((4, 6, 3), np.uint8)
    assert model.edits
    request = Request("0", prompt="more", seed=3, source_image=dark, mask=dark[..., 0], rounds=("first", "then"))
    (done,) = model.generate([request])
    assert done.pixels.shape == (4, 6, 3)
    assert (done.pixels == 30).all()
    assert done.evaluations == 12
    assert model.pipeline.calls == [("first", (6, 4), 3), ("then", None, 3), ("more", None, 3)]


def test_an_editing_pipeline_without_an_image_is_refused_by_the_request():
    with pytest.raises(EvalkitError, match="changes images; request '0' gives none"):
        edit_model().generate([Request("0", prompt="x")])
    drawing = pipeline_of(None, num_inference_steps=4)
    source = Source("stub", None, None, None, None, None, torch.device("cpu"), torch.float32)
    model = DiffusersGenerator(source, drawing, PipelineConfig("stub"))
    with pytest.raises(EvalkitError, match="makes images from nothing"):
        model.generate([Request("0", prompt="x", source_image=np.zeros((4, 4, 3), np.uint8))])


def test_a_served_models_name_stands_for_its_repository_and_settings():
    config = GENERATORS.get("diffusers:qwen-image").config
    assert (config.repo, config.guidance, config.steps, config.side) == ("Qwen/Qwen-Image", 4.0, 50, 1328)
    assert GENERATORS.get("diffusers:OWNER/REPO").config == "OWNER/REPO"
    assert "FLUX" in forbidden("diffusers:flux.2-dev", None)[0]
