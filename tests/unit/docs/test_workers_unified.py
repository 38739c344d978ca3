"""Workers of current unified and autoregressive models: what each hands to the official functions, and its own loop."""

import base64
import io
from importlib import import_module
from types import SimpleNamespace
from unittest.mock import MagicMock

import pytest
import torch
from PIL import Image

from evalkit.generators.workers import worker_of

RED = Image.new("RGB", (8, 8), (255, 0, 0))
pytestmark = pytest.mark.usefixtures("on_cpu")


def red(side=8):
    """[3, side, side] in [-1, 1]."""
    return torch.tensor([1.0, -1.0, -1.0])[:, None, None].expand(3, side, side)


def is_red(pixels):
    return bool((pixels == torch.tensor([255, 0, 0], dtype=torch.uint8).numpy()).all())


def in_base64(image):
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def test_janus_flow_follows_the_guided_flow_and_hides_the_words_from_the_free_row(worker, served):
    module = worker("janus_flow", ("diffusers", "janus"))
    model, processor, seen = MagicMock(device=torch.device("cpu")), MagicMock(pad_id=0, image_gen_tag="<g>"), []
    official = import_module("janus.janusflow.models")
    official.MultiModalityCausalLM.from_pretrained.return_value.to.return_value.cuda.return_value.eval.return_value = (
        model
    )
    official.VLChatProcessor.from_pretrained.return_value = processor
    processor.apply_sft_template_for_multi_turn_prompts.return_value = "text"
    processor.tokenizer.encode.return_value = [1, 5, 6, 9]
    model.language_model.get_input_embeddings.return_value = lambda ids: ids[..., None].repeat(1, 1, 4).float()
    model.vision_gen_enc_model.side_effect = lambda z, t: (torch.zeros(2, 4, 24, 24), t[:, None].repeat(1, 4), "skips")
    model.vision_gen_enc_aligner.side_effect = lambda codes: codes

    def language(inputs_embeds, attention_mask, use_cache):
        seen.append((inputs_embeds, attention_mask))
        return SimpleNamespace(last_hidden_state=inputs_embeds)

    model.language_model.model.side_effect = language
    for part in (model.vision_gen_dec_aligner, model.vision_gen_dec_aligner_norm):
        part.side_effect = lambda hidden: hidden
    velocity = torch.tensor([1.0, 0.5])[:, None, None, None].expand(2, 4, 48, 48)
    model.vision_gen_dec_model.return_value = velocity
    decoder = import_module("diffusers.models").AutoencoderKL.from_pretrained.return_value
    decoder = decoder.to.return_value.cuda.return_value.eval.return_value
    decoder.config.scaling_factor = 1.0
    decoder.decode.return_value.sample = red()[None]
    pixels, reply = served(module)
    assert is_red(pixels)
    assert reply == {"sampler": {"guidance": 2.0, "steps": 30}}
    words, mask = seen[0]
    assert words[:, :3, 0].tolist() == [[1, 5, 6], [1, 0, 0]]  # the time stands where the last word stood
    assert words.shape[1] == mask.shape[1] == 3 + 577
    assert mask[:, :4].tolist() == [[1, 1, 1, 1], [1, 0, 0, 1]]
    assert seen[15][0][0, 3, 0] == 500.0
    torch.manual_seed(7)
    start = torch.randn(1, 4, 48, 48, dtype=torch.bfloat16)
    moved = (decoder.decode.call_args.args[0].float() - start.float()).mean()
    assert abs(float(moved) - (2 * 1.0 - 0.5)) < 0.02


def test_t2i_r1_thinks_before_it_draws_and_guides_every_code(worker, served, tmp_path):
    module = worker("t2i_r1", ("janus", "transformers"))
    (tmp_path / "data/prompt").mkdir(parents=True)
    (tmp_path / "data/prompt/reasoning_prompt.txt").write_text('draw "{}" \n')
    model, processor = MagicMock(device="cpu"), MagicMock(pad_id=0, image_start_tag="<s>")
    auto = import_module("transformers").AutoModelForCausalLM.from_pretrained.return_value
    auto.to.return_value.cuda.return_value.eval.return_value = model
    import_module("janus.models").VLChatProcessor.from_pretrained.return_value = processor
    asked = []
    processor.apply_sft_template_for_multi_turn_prompts.side_effect = lambda **given: asked.append(given) or "text"
    processor.tokenizer.return_value.input_ids = torch.tensor([[1, 5, 6]])
    processor.tokenizer.encode.return_value = [1, 77]
    processor.tokenizer.decode.return_value = "a blue cup"
    model.language_model.get_input_embeddings.return_value = lambda ids: ids[..., None].float()
    model.language_model.generate.return_value = torch.tensor([[4]])
    model.language_model.model.side_effect = lambda inputs_embeds, **given: SimpleNamespace(
        last_hidden_state=inputs_embeds, past_key_values="cache"
    )
    guided = torch.tensor([[0.0, 10.0, 0.0], [0.0, 0.0, 40.0]])  # free + 5 (cond - free) prefers code 1
    model.gen_head.return_value = guided
    model.prepare_gen_img_embeds.side_effect = lambda codes: codes[:, None].float()
    model.gen_vision_model.decode_code.return_value = red()[None]
    pixels, reply = served(module, str(tmp_path))
    assert is_red(pixels)
    assert reply["sampler"] == {"guidance": 5.0, "temperature": 1.0}
    assert [each["conversations"][0]["content"] for each in asked] == ['draw "a cup"', "a cup. a blue cup"]
    first = model.language_model.model.call_args_list[0].kwargs["inputs_embeds"][..., 0]
    assert first.tolist() == [[1, 5, 6, 77], [1, 0, 0, 77]]
    codes = model.gen_vision_model.decode_code.call_args.args[0]
    assert codes.shape == (1, 576)
    assert codes.unique().tolist() == [1]


def test_simple_ar_takes_its_praise_and_its_negative_prompt(worker, served):
    module = worker("simple_ar", ("simpar",))
    words, model, decoder = MagicMock(), MagicMock(), MagicMock()
    words.side_effect = lambda text, return_tensors: SimpleNamespace(input_ids=torch.tensor([[len(text)]]))
    words.__len__.return_value = 100
    import_module("simpar.model.builder").load_pretrained_model.return_value = (words, model, None, 2048)
    networks = import_module("simpar.model.tokenizer.cosmos_tokenizer.networks")
    networks.TokenizerConfigs = {"DV": SimpleNamespace(value={"levels": 8})}
    video = import_module("simpar.model.tokenizer.cosmos_tokenizer.video_lib").CausalVideoTokenizer
    video.return_value.eval.return_value = decoder
    model.generate_visual.return_value = torch.cat([torch.zeros(1, 1), torch.full((1, 4096), 103)], 1).long()
    decoder.decode.return_value = red()[None, :, None]
    pixels, reply = served(module, "repository", "cosmos", negative_prompt="rain", sampler={"top_k": 9})
    assert is_red(pixels)
    assert video.call_args.kwargs["checkpoint_dec"] == "cosmos/decoder.jit"
    assert video.call_args.kwargs["tokenizer_config"] == {
        "levels": 8,
        "spatial_compression": 16,
        "temporal_compression": 8,
    }
    given = model.generate_visual.call_args
    assert given.args[0].tolist() == [[len("<|t2i|>A highly realistic image of a cup<|soi|>")]]
    assert given.kwargs["negative_prompt_ids"].tolist() == [[len("<|t2i|>rain<|soi|>")]]
    assert (given.kwargs["cfg_scale"], given.kwargs["top_k"], given.kwargs["max_new_tokens"]) == (6.0, 9, 4096)
    assert reply["sampler"]["top_k"] == 9
    assert decoder.decode.call_args.args[0].shape == (1, 1, 64, 64)
    assert decoder.decode.call_args.args[0].unique().tolist() == [3]


@pytest.mark.parametrize("edits", [False, True])
def test_bagel_draws_and_edits_with_the_settings_of_its_demo(worker, served, edits):
    module = worker("bagel", ("accelerate", "data", "inferencer", "modeling"))
    import_module("modeling.autoencoder").load_ae.return_value = ("vae", "sizes")
    import_module("data.data_utils").add_special_tokens.return_value = ("words", {"eos": 1}, 2)
    vit = import_module("modeling.bagel").SiglipVisionConfig.from_json_file.return_value
    vit.num_hidden_layers = 27
    inferencer = import_module("inferencer").InterleaveInferencer
    inferencer.return_value.return_value = {"image": RED, "text": None}
    pixels, reply = served(module, "repository", "w", **({"source_image_base64": in_base64(RED)} if edits else {}))
    assert is_red(pixels)
    assert vit.num_hidden_layers == 26
    assert import_module("accelerate").load_checkpoint_and_dispatch.call_args.args[1] == "w/ema.safetensors"
    assert inferencer.call_args.args[1:3] == ("vae", "words")
    given = inferencer.return_value.call_args.kwargs
    assert (given["cfg_text_scale"], given["num_timesteps"], given["timestep_shift"]) == (4.0, 50, 3.0)
    assert given["cfg_interval"] == ([0.0, 1.0] if edits else [0.4, 1.0])
    assert given["cfg_renorm_type"] == ("text_channel" if edits else "global")
    assert (given["image"] is None) is not edits
    assert reply["sampler"] == {"guidance": 4.0, "steps": 50}


@pytest.mark.parametrize(("edits", "guidance"), [(False, 4.0), (True, 5.0)])
def test_omnigen2_takes_the_guidance_of_its_example_scripts(worker, served, monkeypatch, edits, guidance):
    module = worker("omnigen2", ("omnigen2",))
    monkeypatch.setattr(torch, "Generator", MagicMock())
    made = import_module("omnigen2.pipelines.omnigen2.pipeline_omnigen2").OmniGen2Pipeline.from_pretrained
    pipeline = made.return_value.to.return_value
    pipeline.return_value.images = [RED]
    image = {"source_image_base64": in_base64(RED)} if edits else {}
    pixels, reply = served(module, "repository", negative_prompt="rain", **image)
    assert is_red(pixels)
    given = pipeline.call_args.kwargs
    assert (given["text_guidance_scale"], given["image_guidance_scale"]) == (guidance, 2.0)
    assert (given["negative_prompt"], given["num_inference_steps"]) == ("rain", 50)
    assert (given["input_images"] is None) is not edits
    assert reply["sampler"] == {"steps": 50}


def test_lumina_dimoo_marks_where_the_codes_begin(worker, served):
    module = worker("lumina_dimoo", ("config", "generators", "utils", "model", "transformers", "diffusers"))
    import_module("config").SPECIAL_TOKENS = {
        name: number
        for number, name in enumerate(
            ("mask_token", "newline_token", "answer_start", "answer_end", "boi", "eoi"), start=900
        )
    }
    words = import_module("transformers").AutoTokenizer.from_pretrained.return_value
    words.side_effect = lambda text: {"input_ids": [len(text)]}
    images = import_module("utils.image_utils")
    images.calculate_vq_params.return_value = (4, 3, 2, 2)
    images.add_break_line.side_effect = lambda tokens, rows, columns, new_number: [*tokens[:2], new_number, *tokens[2:]]
    images.decode_vq_to_image.return_value = RED
    import_module("utils.prompt_utils").generate_text_to_image_prompt.return_value = ("conditional", "free")
    draw = import_module("generators.image_generation_generator").generate_image
    pixels, reply = served(module, "repository")
    assert is_red(pixels)
    given = draw.call_args
    assert given.args[1].tolist() == [[11, 902, 904, 900, 900, 901, 900, 900, 905, 903]]
    assert given.kwargs["uncon_ids"].tolist() == [[4]]
    assert (given.kwargs["code_start"], given.kwargs["timesteps"], given.kwargs["cfg_scale"]) == (3, 64, 4.0)
    assert import_module("utils.generation_utils").setup_seed.call_args.args == (7,)
    assert reply["sampler"] == {"guidance": 4.0, "steps": 64, "temperature": 1.0}


def test_emu3_5_puts_the_first_token_before_the_prompt_and_takes_the_image_of_the_answer(worker, served):
    module = worker("emu3_5", ("configs", "src"))
    config = import_module("configs.example_config_t2i")
    import_module("configs").example_config_t2i = config
    config.special_tokens, config.sampling_params = {"BOS": "<b>"}, {"image_top_k": 1, "top_k": 2}
    config.template, config.unc_prompt = "Q: {question}", "Q:"
    model, words = MagicMock(device="cpu"), MagicMock()
    words.encode.side_effect = lambda text, **given: torch.tensor([[len(text)]]) if given else [50]
    import_module("src.utils.model_utils").build_emu3p5.return_value = (model, words, "vq")
    tools = import_module("src.utils.generation_utils")
    tools.generate.side_effect = lambda *given: iter(["tokens"])
    tools.multimodal_decode.return_value = [("text", "here"), ("image", RED)]
    pixels, reply = served(module, "repository", "weights", "tokenizer", sampler={"guidance": {"scale": 3.0}})
    assert is_red(pixels)
    given = tools.generate.call_args.args
    assert given[3].tolist() == [[50, len("Q: a cup")]]
    assert given[4].tolist() == [[2]]
    assert (config.classifier_free_guidance, config.target_height) == (3.0, 64)
    assert config.sampling_params == {"image_top_k": 5120, "top_k": 2, "image_temperature": 1.0, "image_top_p": 1.0}
    assert reply["sampler"]["guidance"] == 3.0


def test_hunyuan_image_3_draws_the_prompt_as_it_stands(worker, served):
    module = worker("hunyuan_image_3", ("hunyuan_image_3",))
    model = import_module("hunyuan_image_3.hunyuan").HunyuanImage3ForCausalMM.from_pretrained.return_value
    model.generate_image.return_value = RED
    pixels, reply = served(module, "repository", "weights")
    assert is_red(pixels)
    model.load_tokenizer.assert_called_once_with("weights")
    given = model.generate_image.call_args.kwargs
    assert (given["prompt"], given["seed"], given["diff_infer_steps"]) == ("a cup", 7, 50)
    assert reply["sampler"] == {"steps": 50}


def test_show_o2_counts_the_time_among_the_tokens_and_guides_both_halves(worker, served):
    module = worker("show_o2", ("models", "utils", "transport", "omegaconf"))
    names = SimpleNamespace(llm_model_path="qwen", pretrained_model_path="show-o2", llm_vocab_size=None, patch_size=2)
    names.image_latent_height = names.image_latent_width = 3
    names.image_latent_dim = 4
    flow = dict.fromkeys(
        ("path_type", "prediction", "loss_weight", "train_eps", "sample_eps", "snr_type", "do_shift"), 1
    )
    flow |= dict.fromkeys(("sampling_method", "atol", "rtol", "reverse", "time_shifting_factor"), 1)
    sizes = SimpleNamespace(num_t2i_image_tokens=9, max_seq_length=40)
    config = SimpleNamespace(
        model=SimpleNamespace(showo=names), dataset=SimpleNamespace(preprocessing=sizes), transport=flow
    )
    import_module("omegaconf").OmegaConf.load.return_value = config
    import_module("utils").path_to_llm_name = {"qwen": "qwen2_5"}
    words, special = (
        MagicMock(pad_token_id=0),
        {f"{n}_id": i for i, n in enumerate(["bos", "eos", "boi", "eoi", "img_pad"])},
    )
    misc = import_module("models.misc")
    misc.get_text_tokenizer.return_value = (words, special)
    misc.prepare_gen_input.return_value = tuple(torch.full((1, 2), number) for number in (1, 2, 3, 4))
    model = import_module("models").Showo2Qwen2_5.from_pretrained.return_value.to.return_value.eval.return_value
    model.device = torch.device("cpu")
    import_module("models").omni_attn_mask_naive.return_value = torch.zeros(2, 1)
    decoder = import_module("models").WanVAE.return_value
    decoder.batch_decode.return_value = red()[None, :, None]
    solve = import_module("transport").Sampler.return_value.sample_ode
    solve.return_value.side_effect = lambda z, function, **given: [z, torch.cat([z[:1], z[1:] * 0])]
    pixels, reply = served(module, "repository", "vae.pth")
    assert is_red(pixels)
    given = misc.prepare_gen_input.call_args.args
    assert given[2] == 10
    assert given[9] == 40 - 10 - 4
    solved = solve.return_value.call_args
    assert solved.args[0].shape == (2, 4, 6, 6)
    assert torch.equal(solved.args[0][0], solved.args[0][1])
    assert solved.kwargs["guidance_scale"] == 7.5
    assert solved.kwargs["text_tokens"].tolist() == [[1, 1], [2, 2]]
    assert solve.call_args.kwargs["num_steps"] == 50
    latents = decoder.batch_decode.call_args.args[0]
    assert latents.shape == (1, 4, 1, 6, 6)
    assert latents.abs().sum() > 0
    assert reply["sampler"] == {"guidance": 7.5, "steps": 50}


def test_a_worker_is_known_by_its_file_wherever_it_lies():
    assert worker_of(["ENV/bin/python", "here/harmon.py", "Harmon"]).non_commercial
    assert worker_of(["python", "other.py"]) is None
