"""Workers of the founding systems: what each hands to the official functions, and its own arithmetic."""

import base64
import io
import json
import subprocess
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock

import numpy as np
import pytest
import torch
from PIL import Image

RED = Image.new("RGB", (8, 8), (255, 0, 0))
pytestmark = pytest.mark.usefixtures("on_cpu")


def red(side=8):
    """[3, side, side] in [-1, 1]."""
    return torch.tensor([1.0, -1.0, -1.0])[:, None, None].expand(3, side, side)


def is_red(pixels):
    return bool((pixels == np.array([255, 0, 0], np.uint8)).all())


def in_base64(image=RED):
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


@pytest.fixture
def loads(monkeypatch):
    """What torch.load gives for any file."""

    def answering(saved):
        monkeypatch.setattr(torch, "load", lambda path, **given: saved)

    return answering


def test_hmar(worker, served, loads, monkeypatch):
    module = worker("hmar", ("models",))
    loads({})
    monkeypatch.setattr(torch, "set_default_device", MagicMock())
    decoder, model = MagicMock(), MagicMock()
    import_module("models").build_vae_hmar.return_value = (decoder, model)
    model.eval.return_value.generate.return_value = (red()[None] + 1) / 2
    pixels, reply = served(module, "repository", "weights", class_id=3, prompt=None)
    assert is_red(pixels)
    given = model.eval.return_value.generate.call_args
    assert given.args == (1, 3)
    assert (given.kwargs["g_seed"], given.kwargs["cfg"], given.kwargs["top_k"]) == (7, 1.6, 650)
    assert [sum(each) for each in given.kwargs["mask_schedule"]] == [n * n for n in module.SCALES]
    assert reply["sampler"] == {"guidance": 1.6, "top_k": 650, "top_p": 0.99}


def test_m_var(worker, served, loads):
    module = worker("m_var", ("models",))
    loads({})
    decoder, model = MagicMock(), MagicMock()
    import_module("models").build_vae_mvar.return_value = (decoder, model)
    model.autoregressive_infer_cfg.return_value = (red()[None] + 1) / 2
    pixels, reply = served(module, "repository", "weights", class_id=3)
    assert is_red(pixels)
    given = model.autoregressive_infer_cfg.call_args.kwargs
    assert (given["B"], given["label_B"].tolist(), given["g_seed"], given["cfg"]) == (1, [3], 7, 1.5)
    assert reply["sampler"] == {"guidance": 1.5, "top_k": 900, "top_p": 0.96}


def test_acdit_puts_the_patches_of_the_blocks_in_their_places(worker, served, loads):
    module = worker("acdit", ("models", "diffusers"))
    told = SimpleNamespace(model="ACDiT-H", vae_latent_size=4, patch_size=2, block_size=4, ar_len=4, num_frames=1)
    told.image_size, told.vae_patch_pixels, told.nd_split = 64, 8, None
    loads({"args": told, "model": {}})
    model, decoder = MagicMock(), MagicMock()
    import_module("models").ACDiT_models = {"ACDiT-H": MagicMock(return_value=MagicMock(to=lambda place: model))}
    import_module("diffusers").AutoencoderKL.from_pretrained.return_value.to.return_value = decoder
    latent = torch.randn(4, 8, 8)
    blocks = torch.stack(
        [
            torch.stack(
                [latent[:, y : y + 2, x : x + 2].permute(1, 2, 0).flatten() for y in (r, r + 2) for x in (c, c + 2)]
            )
            for r in (0, 4)
            for c in (0, 4)
        ]
    )
    model.sample.return_value = blocks[None]
    decoder.config.scaling_factor = 0.5
    decoder.decode.return_value.sample = red()[None]
    pixels, reply = served(module, "repository", "file.pt", class_id=3)
    assert is_red(pixels)
    assert torch.equal(decoder.decode.call_args.args[0], latent[None] / 0.5)
    given = model.sample.call_args
    assert (given.args[0].tolist(), given.args[2]) == ([3], 25)
    assert (given.kwargs["cfg"], given.kwargs["target_shape"]) == (1.5, (1, 4, 4, 16))
    assert reply["sampler"] == {"guidance": 1.5, "steps": 25}


def test_arflow_forgets_the_image_before(worker, served, monkeypatch):
    monkeypatch.setenv("TRITON_ALLOW_NON_CONSTEXPR_GLOBALS", "0")
    module = worker("arflow", ("diffusers", "download", "models_infer", "transport"))
    blocks = [SimpleNamespace(incremental_state={"old": 1})]
    model, decoder = MagicMock(blocks=blocks), MagicMock()
    made = MagicMock(return_value=MagicMock(to=lambda place: model))
    import_module("models_infer").ARFlow_models = {"ARFlow-XL/2": made}
    model.eval.return_value = model
    import_module("diffusers.models").AutoencoderKL.from_pretrained.return_value.to.return_value = decoder
    solve = import_module("transport").Sampler.return_value.sample_sde
    solve.return_value.side_effect = lambda z, function, **given: [z]
    decoder.decode.return_value.sample = red()[None]
    pixels, reply = served(module, "repository", "file.pt", class_id=3)
    assert is_red(pixels)
    assert blocks[0].incremental_state == {}
    z, given = solve.return_value.call_args.args[0], solve.return_value.call_args.kwargs
    assert torch.equal(z[0], z[1])
    assert (given["y"].tolist(), given["cfg_scale"]) == ([3, 1000], 1.5)
    assert torch.equal(decoder.decode.call_args.args[0], z[:1] / 0.18215)
    assert solve.call_args.kwargs["num_steps"] == 250
    assert reply["sampler"] == {"guidance": 1.5, "steps": 250}


def test_arra_brings_the_folder_of_its_words(worker, served, monkeypatch, tmp_path):
    (tmp_path / "arra").mkdir()
    monkeypatch.chdir(tmp_path)
    module = worker("arra", ("inference_solver",))
    official = import_module("inference_solver")
    processor = official.FlexARItemProcessor
    solver = official.FlexARInferenceSolver.return_value
    solver.generate.return_value = ("text", [RED])
    pixels, reply = served(module, ".", "words")
    assert is_red(pixels)
    official.FlexARItemProcessor(target_size=512, tokenizer="/their/machine")
    assert processor.call_args.kwargs == {"target_size": 512, "tokenizer": str(tmp_path / "words")}
    assert solver.generate.call_args.kwargs["qas"] == [["a cup", None]]
    assert solver.create_logits_processor.call_args.kwargs == {"cfg": 4.0, "image_top_k": 2000}
    assert reply["sampler"] == {"guidance": 4.0, "temperature": 1.0, "top_k": 2000}


def test_gsd_takes_the_requests_seed(worker, served, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    module = worker("gsd", ("lumina_mgpt", "scheduler"))
    renew = import_module("scheduler.jacobi_iteration_lumina_mgpt").renew_pipeline_sampler
    solver = renew.return_value
    solver.generate.return_value = ("text", [RED])
    pixels, reply = served(module, ".")
    assert is_red(pixels)
    assert solver.model.seed == 7
    given = solver.generate.call_args.kwargs
    assert given["qas"] == [["Generate an image of 768x768 according to the following prompt:\na cup", None]]
    assert renew.call_args.kwargs["jacobi_loop_interval_r"] == 48 * 48 + 48 - 10
    assert reply["sampler"] == {"guidance": 3.0, "temperature": 1.0, "top_k": 2000}


def test_varedit_hands_the_source_image_over_as_a_file(worker, served):
    module = worker("varedit", ("infer",))
    official = import_module("infer")
    sizes = []
    official.generate_image.side_effect = lambda parts, file, text, **given: sizes.append(Image.open(file).size) or RED
    pixels, reply = served(module, "repository", "weights", source_image_base64=in_base64())
    assert is_red(pixels)
    assert sizes == [(8, 8)]
    assert official.load_model.call_args.kwargs["model_path"] == "weights/8B-1024.pth"
    assert official.generate_image.call_args.kwargs == {"cfg": 3.0, "tau": 0.1, "seed": 7}
    assert reply["sampler"] == {"guidance": 3.0, "temperature": 0.1}


def test_an_editing_worker_without_a_source_image_says_so(worker, served):
    module = worker("varedit", ("infer",))
    with pytest.raises(AssertionError, match="this model needs image"):
        served(module, "repository", "weights")


def tool_of_infinity(place):
    tool = import_module(place)
    tool.add_common_arguments.side_effect = lambda parser: [
        parser.add_argument(f"--{name}", default=default, type=type(default))
        for name, default in {
            "cfg": 4, "tau": 0.5, "pn": "1M", "vae_type": 32, "vae_path": "vae", "cfg_insertion_layer": 0,
            "h_div_w_template": 1.0, "sampling_per_bits": 1, "enable_positive_prompt": 0, "text_encoder_ckpt": "t5",
            "adain": 1, "wavelet": 0, "model_type": "infinity_2b", "apply_spatial_patchify": 0, "use_bit_label": 1,
            "add_lvl_embeding_only_first_block": 0, "rope2d_each_sa_layer": 0, "rope2d_normalized_by_hw": 0,
            "use_scale_schedule_embedding": 1, "checkpoint_type": "x", "text_channels": 1,
        }.items()
    ]  # fmt: skip
    tool.load_tokenizer.return_value = (MagicMock(), MagicMock())
    tool.dynamic_resolution_h_w = {1.0: {"1M": {"scales": [(9, 1, 1), (9, 4, 4)]}}}
    return tool


def test_arbooth_knows_the_subject_by_its_word_and_turns_the_colours(worker, served, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    module = worker("arbooth", ("tools",))
    tool = import_module("tools").run_arbooth = tool_of_infinity("tools.run_arbooth")
    words = tool.load_tokenizer.return_value[0]
    words.convert_tokens_to_ids.return_value = 77
    tool.gen_one_img.return_value = torch.tensor([0, 0, 255], dtype=torch.uint8).expand(8, 8, 3)
    tool.add_common_arguments.side_effect(MagicMock())
    pixels, reply = served(module, ".", "subject.pth")
    assert is_red(pixels)
    given = tool.gen_one_img.call_args.kwargs
    assert (given["g_seed"], given["cfg_list"], given["tau_list"]) == (7, 4.0, 0.5)
    assert given["scale_schedule"] == [(1, 1, 1), (1, 4, 4)]
    assert given["special_token_id"] == 77
    assert tool.load_transformer.call_args.args[1].model_path == str(tmp_path / "subject.pth")
    assert reply["sampler"] == {"guidance": 4.0, "temperature": 0.5}


def test_nsarm_gives_the_small_image_and_its_colours(worker, served):
    module = worker("nsarm", ("tools",))
    tool = import_module("tools").run_infinity = tool_of_infinity("tools.run_infinity")
    common = tool.add_common_arguments.side_effect
    tool.add_common_arguments.side_effect = lambda parser: (common(parser), parser.add_argument("--model_path"))
    tool.gen_one_img.return_value = torch.zeros(8, 8, 3, dtype=torch.uint8)
    tool.color_adjust.return_value = RED
    pixels, reply = served(module, "repository", "w.pth", "vae.pth", "t5", source_image_base64=in_base64())
    assert is_red(pixels)
    given = tool.gen_one_img.call_args
    assert given.args[4] == "a cup"
    assert given.kwargs["LR_img"].size == (8, 8)
    assert (given.kwargs["vae_type"], given.kwargs["trunk_scale"], given.kwargs["cfg_list"]) == (14, 100, 1.0)
    assert tool.color_adjust.call_args.args[2:] == (1, 0)
    assert reply["sampler"] == {"guidance": 1.0, "temperature": 0.5}


def words_of(count):
    """Features of 6 tokens of which `count` are real, as the official encoder pads them (at the right)."""
    features, mask = torch.arange(6.0)[None, :, None] + 1, torch.zeros(1, 6, dtype=torch.int64)
    mask[:, :count] = 1
    return features, mask


def test_controlar_takes_edges_of_the_source_image_and_pads_words_at_the_left(
    worker, served, loads, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    loads({"model": {}})
    module = worker("controlar", ("autoregressive", "condition", "language", "safetensors", "tokenizer"))
    decoder, model = MagicMock(), MagicMock()
    vq = MagicMock(return_value=MagicMock(to=lambda place: MagicMock(eval=lambda: decoder)))
    import_module("tokenizer.tokenizer_image.vq_model").VQ_models = {"VQ-16": vq}
    gpt = MagicMock(return_value=MagicMock(to=lambda *place: model))
    import_module("autoregressive.models.gpt_t2i").GPT_models = {"GPT-XL": gpt}
    import_module("language.t5").T5Embedder.return_value.get_text_embeddings.return_value = words_of(2)
    edges = import_module("condition.hed").HEDdetector.return_value.to.return_value.eval.return_value
    edges.side_effect = lambda image: image[:, 0].float()
    decoder.decode_code.return_value = red()[None]
    pixels, reply = served(module, ".", "hed.safetensors", "hed", source_image_base64=in_base64())
    assert is_red(pixels)
    given = import_module("autoregressive.models.generate").generate.call_args
    assert given.args[1].flatten().tolist() == [0, 0, 0, 0, 1, 2]
    assert given.args[3].tolist() == [[0, 0, 0, 0, 1, 1]]
    assert given.kwargs["condition"].shape == (1, 3, 512, 512)
    assert given.kwargs["condition"].unique().tolist() == [1.0]
    assert gpt.call_args.kwargs["condition_type"] == "hed"
    assert reply["sampler"] == {"guidance": 4.0, "temperature": 1.0, "top_k": 2000, "top_p": 1.0}


def test_mv_ar_joins_four_views_of_four_cameras(worker, served, loads, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    np.save("camera_pose.npy", np.stack([np.eye(4) * k for k in range(16)]))
    loads({"model": {"module.a": 1}})
    module = worker("mv_ar", ("autoregressive", "tokenizer"))
    monkeypatch.setattr(module, "SIDE", 4)
    decoder, model = MagicMock(), MagicMock()
    vq = MagicMock(return_value=MagicMock(to=lambda place: MagicMock(eval=lambda: decoder)))
    import_module("tokenizer.tokenizer_image.vq_model").VQ_models = {"VQ-16": vq}
    gpt = MagicMock(return_value=MagicMock(to=lambda *place: model))
    import_module("autoregressive.models.nv_campos_gpt").NVCGPT_models = {"NVCGPT-XL": gpt}
    model.eval.return_value = model
    text = import_module("autoregressive.models.t5").T5Embedder.return_value
    text.get_text_embeddings.return_value = words_of(2)
    poses = []
    rays = import_module("autoregressive.sample.sample_tcam2i_nv_ray_ddp")
    rays.get_rays.side_effect = lambda pose, *given: (
        poses.append(float(pose[0, 0]))
        or (
            torch.zeros(4, 4, 3),
            torch.ones(4, 4, 3),
        )
    )
    model.cam_patchify.side_effect = lambda plucker: plucker.flatten(2).transpose(1, 2)
    generate = import_module("autoregressive.models.generate_nv").generate
    generate.return_value = torch.zeros(1, 1024, dtype=torch.int64)
    views = torch.stack([red(2), -red(2), red(2), red(2)])
    decoder.decode_code.return_value = views
    pixels, reply = served(module, ".")
    assert pixels.shape == (2, 8, 3)
    assert pixels[0, :, 0].tolist() == [255, 255, 0 + 1, 1, 255, 255, 255, 255]
    assert poses == [0.0, 4.0, 8.0, 12.0]
    assert generate.call_args.kwargs["cond_camera"].shape == (1, 64, 6)
    assert generate.call_args.args[1].flatten().tolist() == [0, 0, 0, 0, 1, 2]
    assert generate.call_args.args[2] == 1024
    assert model.load_state_dict.call_args.args[0] == {"a": 1}
    assert reply["sampler"] == {"guidance": 1.5, "temperature": 1.0, "top_k": 100, "top_p": 1.0}


@pytest.mark.parametrize(("kind", "prompt"), [("rdm", "a cup"), ("rdm", None), ("rarm", "a cup")])
def test_rdm_and_rarm(worker, served, monkeypatch, tmp_path, kind, prompt):
    monkeypatch.chdir(tmp_path)
    module = worker("rdm", ("scripts", "clip", "pytorch_lightning"))
    model = import_module(f"scripts.{kind}_sample").load_model.return_value
    model.sample_from_rdata.return_value = {"samples_with_sampled_nns": red()[None]}
    model.sample_with_query.return_value = {"samples": red()[None]}
    pixels, _ = served(module, ".", "models", kind, prompt=prompt)
    assert is_red(pixels)
    import_module("pytorch_lightning").seed_everything.assert_called_once_with(7)
    asked = model.sample_with_query if kind == "rdm" and prompt else model.sample_from_rdata
    given = asked.call_args.kwargs
    assert given["k_nn"] == 4
    assert given.get("unconditional_guidance_scale", given.get("guidance_scale")) == (2.0 if kind == "rdm" else 1.0)


def test_digit_draws_clusters_of_a_class_and_then_their_codes(worker, served, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IMG_SAVE_DIR", "")
    module = worker("digit", ("fairseq",))
    monkeypatch.setattr(module, "FOLDER", str(tmp_path))
    task, model, asked = MagicMock(), MagicMock(), []
    model.half.return_value.cuda.return_value.eval.return_value = "model"
    load = import_module("fairseq").checkpoint_utils = import_module("fairseq.checkpoint_utils")
    load.load_model_ensemble_and_task.return_value = ([model], None, task)
    import_module("fairseq").utils = import_module("fairseq.utils")

    def step(generator, models, sample):
        asked.append(sample["net_input"])
        RED.save(tmp_path / "0_pred.png")
        return [[{"tokens": torch.arange(300)}]]

    task.inference_step.side_effect = step
    pixels, reply = served(module, ".", "one.pt", "two.pt", class_id=3)
    assert is_red(pixels)
    assert asked[0]["cls_ids"].tolist() == [3]
    assert asked[1]["src_tokens"].tolist() == [list(range(256))]
    assert asked[1]["img_sizes"].tolist() == [[16, 16]]
    rules = [vars(call.args[1]) for call in task.build_generator.call_args_list]
    assert (rules[0]["sampling_topk"], rules[1]["sampling_topp"]) == (300, 0.8)
    assert reply["sampler"] == {"temperature": 1.0, "top_k": 300}


def test_drivingworld_slides_its_window_and_keeps_the_frames(worker, served, loads, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    loads({})
    module = worker("driving_world", ("datasets", "models", "modules", "utils"))
    monkeypatch.setattr(module, "FRAMES", 3)
    told = import_module("utils.config_utils").Config.fromfile.return_value
    told.condition_frames = 2
    model = import_module("models.model").TrainTransformers.return_value
    model.eval.return_value.cuda.return_value = model
    clips = MagicMock(video_path_list=["a", "drive"])
    moves = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    clips.__getitem__.return_value = (torch.zeros(2, 3, 2, 2), moves, moves[:, :1])
    import_module("datasets.dataset_demo").DemoTest.return_value = clips
    tokenizer = import_module("modules.tokenizers.model_tokenizer").Tokenizer.return_value
    tokenizer.encode_to_z.return_value = (torch.tensor([[[10] * 4, [11] * 4, [0] * 4]]), None)
    tokenizer.vq_model.quantize.embedding.side_effect = lambda codes: codes
    seen = []

    def following(codes, features, pose, yaw, pose_next, yaw_next, look, **rules):
        seen.append((codes[0, :, 0].tolist(), pose[0].tolist(), pose_next[0].tolist()))
        return torch.full((1, 2, 2), 20 + len(seen))

    model.generate_gt_pose_gt_yaw.side_effect = following
    tokenizer.z_to_clips.side_effect = lambda window: (red()[None] + 1) / 2
    pixels, reply = served(module, ".", "videos", prompt="drive")
    assert is_red(pixels)
    clips.__getitem__.assert_called_with(1)
    assert [codes for codes, *_ in seen] == [[10, 11], [11, 21], [21, 22]]
    assert seen[0][1] == [[0.0, 0.0], [3.0, 4.0]]  # the first of a window is where it starts
    assert seen[0][2] == [[3.0, 4.0]]
    assert seen[1][1] == [[0.0, 0.0], [3.0, 4.0]]
    assert sorted(path.name for path in (tmp_path / "videos/drive").iterdir()) == ["0000.png", "0001.png", "0002.png"]
    assert reply["sampler"] == {"temperature": 1.0, "top_k": 30}


def test_photoconsistent_nvs_runs_the_official_script_behind_a_seed(worker, served, monkeypatch, tmp_path):
    module = worker("photoconsistent_nvs", ())
    (tmp_path / "custom-trajectories").mkdir()
    (tmp_path / "custom-trajectories/orbit.json").write_text("{}")
    (tmp_path / "src").mkdir()

    def script(arguments, cwd, check, stdout):
        assert arguments[3:5] == ["7", "scripts/sample-trajectory.py"]
        scene = cwd.parent / "instance-data" / arguments[6]
        assert Image.open(scene / "init-ims/0000.png").size == (256, 256)
        assert json.loads((scene / "sampling-spec.json").read_text()) == {}
        (scene / "samples/00000000/images").mkdir(parents=True)
        for number in range(2):
            (RED if number else Image.new("RGB", (8, 8))).save(scene / f"samples/00000000/images/{number:04d}.png")

    monkeypatch.setattr(subprocess, "run", script)
    trajectory, videos = "custom-trajectories/orbit.json", str(tmp_path / "videos")
    pixels, _ = served(module, str(tmp_path), videos, prompt=trajectory, source_image_base64=in_base64())
    assert is_red(pixels)
    assert len(list(Path(videos, "orbit-7").iterdir())) == 2
    assert list((tmp_path / "instance-data/samples").iterdir()) == []
