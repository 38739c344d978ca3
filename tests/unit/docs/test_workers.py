"""The worked workers: short, free of evalkit, and calling the official functions with the settings the page names."""

import ast
import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock

import numpy as np
import pytest
import torch
from PIL import Image

from evalkit.generators.base import Request
from evalkit.generators.command import CommandGenerator
from evalkit.generators.workers import known_workers

FOLDER = Path(__file__).resolve().parents[3] / "docs" / "workers"
WORKERS = sorted(path.name for path in FOLDER.glob("*.py"))
RED = Image.new("RGB", (8, 8), (255, 0, 0))
RED_PIXELS = np.asarray(RED)


@pytest.mark.parametrize("name", WORKERS)
def test_a_worker_is_short_and_knows_nothing_of_evalkit(name):
    source = (FOLDER / name).read_text()
    tree = ast.parse(source)
    own = [line.strip() for line in source.splitlines()[tree.body[0].end_lineno :]]
    own = [line for line in own if line and not line.startswith(("#", "import ", "from ", "if __name__", "serve("))]
    assert len(own) <= (45 if name == "worker_loop.py" else 40)
    compile(tree, name, "exec")
    nodes = list(ast.walk(tree))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module for node in nodes if isinstance(node, ast.ImportFrom)]
    assert not any(module.split(".")[0] == "evalkit" for module in names)


def test_the_page_is_what_its_script_makes_and_every_program_is_in_the_table():
    place = FOLDER.parents[1] / "benchmarks" / "make_workers_page.py"
    spec = importlib.util.spec_from_file_location("make_workers_page", place)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert (FOLDER.parent / "workers.md").read_text() == script.page(), "type: python benchmarks/make_workers_page.py"
    known = known_workers().values()
    assert sorted(each.file for each in known) == sorted(set(WORKERS) - {"worker_loop.py"})
    assert all(each.start.startswith(each.file) and each.licence and each.install for each in known)


def test_every_worker_is_run_by_a_test():
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_workers*.py"))
    missing = [name for name in WORKERS if name != "worker_loop.py" and f'worker("{name[:-3]}", ' not in tests]
    assert missing == []


def red(side=8):
    """[3, side, side] in [-1, 1]."""
    return torch.tensor([1.0, -1.0, -1.0])[:, None, None].expand(3, side, side)


def is_red(pixels):
    return bool((pixels == np.array([255, 0, 0], np.uint8)).all())


def test_orthus(worker, served, monkeypatch):
    model, processor = MagicMock(), MagicMock()
    processor.return_value.to.return_value = {"input_ids": 1}
    processor.postprocess_pixel_values.return_value = [(red() + 1) / 2]
    modules = {
        "models.modeling_orthus": {"OrthusForConditionalGeneration": MagicMock(from_pretrained=lambda *a, **k: model)},
        "models.processing_orthus": {"OrthusProcessor": MagicMock(from_pretrained=lambda name: processor)},
    }
    assert is_red(served(worker("orthus", modules), "repository")[0])
    assert processor.call_args.args[0] == ["a cup", "Generate an image."]
    assert model.generate.call_args.kwargs["cfg_scale"] == 5.0
    assert model.generate.call_args.kwargs["multimodal_generation_mode"] == "image-only"


def test_lumina(worker, served, monkeypatch, tmp_path):
    solver, seeded = MagicMock(), MagicMock()
    solver.generate.return_value = ("text", [RED])
    modules = {
        "inference_solver": {"FlexARInferenceSolver": MagicMock(return_value=solver)},
        "xllmx.util.misc": {"random_seed": seeded},
    }
    (tmp_path / "lumina_mgpt").mkdir()
    monkeypatch.chdir(tmp_path)
    assert is_red(served(worker("lumina_mgpt_2", modules), ".")[0])
    seeded.assert_called_once_with(7)
    given = solver.generate.call_args.kwargs
    assert given["qas"] == [["Generate an image of 768x768 according to the following prompt:\na cup", None]]
    assert solver.create_logits_processor.call_args.kwargs == {"cfg": 4.0, "image_top_k": 4096}


def test_vargpt_takes_the_requests_seed_and_not_the_clock(worker, served, monkeypatch, tmp_path):
    used = []

    class Model(MagicMock):
        def to(self, where):
            return self

        def autoregressive_infer_cfg(self, **given):
            used.append(given)

        def generate(self, **given):
            self.autoregressive_infer_cfg(g_seed=123456, cfg_sc=3)
            RED.save(self._IMAGE_GEN_PATH)

    model = Model()
    place = "vargpt_qwen_v1_1"
    modules = {
        "patching_utils.patching": {"patching": MagicMock()},
        f"{place}.modeling_vargpt_qwen2_vl": {
            "VARGPTQwen2VLForConditionalGeneration": MagicMock(from_pretrained=lambda *a, **k: model)
        },
        f"{place}.prepare_vargpt_v1_1": {"prepare_vargpt_qwen2vl_v1_1": MagicMock()},
        f"{place}.processing_vargpt_qwen2_vl": {"VARGPTQwen2VLProcessor": MagicMock()},
    }
    processor = modules[f"{place}.processing_vargpt_qwen2_vl"]["VARGPTQwen2VLProcessor"].from_pretrained.return_value
    processor.return_value.to.return_value = {"input_ids": 1}
    monkeypatch.chdir(tmp_path)
    assert is_red(served(worker("vargpt", modules), ".")[0])
    assert used == [{"g_seed": 7, "cfg_sc": 3}]


def test_fudoki_masks_the_prompt_and_the_codes_as_the_official_script(worker, served, monkeypatch):
    tokenizer = MagicMock()
    tokenizer.encode.side_effect = lambda text, **given: [50, 51] if given else [1, 9, 9, 50, 51, 60]
    processor = MagicMock(
        image_start_tag="<img>", image_id=70, image_end_id=71, pad_id=0, sft_format="deepseek", tokenizer=tokenizer
    )
    processor.apply_sft_template_for_multi_turn_prompts.return_value = "text"
    model, solver, paths = MagicMock(device=torch.device("cpu")), MagicMock(), MagicMock()
    model.to.return_value.float.return_value.eval.return_value = model
    model.gen_vision_model.decode_code.return_value = red()[None]
    modules = {
        "flow_matching.path": {"MixtureDiscreteSoftmaxProbPath": paths},
        "flow_matching.solver": {"MixtureDiscreteSoftmaxEulerSolver": MagicMock(return_value=solver)},
        "fudoki.eval_loop": {"CFGScaledModel": MagicMock()},
        "fudoki.janus.models": {"VLChatProcessor": MagicMock(from_pretrained=lambda path: processor)},
        "fudoki.model": {"instantiate_model": lambda path: model},
    }
    assert is_red(served(worker("fudoki_t2i", modules), "repository", "weights")[0])
    assert paths.call_args.kwargs == {"mode": "image", "embedding_path": "weights/image_embedding.pt"}
    given = solver.sample.call_args.kwargs
    info, x = given["datainfo"], given["x_init"]
    assert (given["cfg_scale"], given["step_size"], x.shape) == (5.0, 1 / 50, (1, 1076))
    assert info["image_token_mask"].nonzero()[:, 1].tolist() == list(range(6, 582))
    assert info["text_token_mask"].nonzero()[:, 1].tolist() == [1, 2, 3, 4]
    assert int(info["attention_mask"].sum()) == 583
    assert x[0, :6].tolist() == [1, 9, 9, 50, 51, 60]
    assert x[0, 582:584].tolist() == [71, 0]
    torch.manual_seed(7)
    assert torch.equal(x[0, 6:582], torch.randint(16384, (1, 1076))[0, 6:582])


def test_harmon(worker, served, monkeypatch, tmp_path):
    model, orders = MagicMock(), []
    model.eval.return_value.cuda.return_value.to.return_value = model
    model.prepare_text_conditions.return_value = {"input_ids": 1, "attention_mask": 2}

    def sample(**given):
        orders.append(np.random.permutation(9).tolist())
        return red()[None]

    model.sample.side_effect = sample
    modules = {
        "mmengine.config": {"Config": MagicMock()},
        "src.builder": {"BUILDER": MagicMock(build=lambda config: model)},
    }
    modules["mmengine.config"]["Config"].fromfile.return_value.model = "model"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch, "load", lambda path: {})
    model.eval.return_value.cuda.return_value.dtype = torch.bfloat16
    assert is_red(served(worker("harmon", modules), ".")[0])
    assert model.prepare_text_conditions.call_args.args == ("Generate an image: a cup.", "Generate an image.")
    given = model.sample.call_args.kwargs
    assert (given["num_iter"], given["cfg"], given["image_shape"]) == (64, 3.0, (32, 32))
    assert orders == [np.random.RandomState(7).permutation(9).tolist()]


def test_x_omni(worker, served, monkeypatch):
    model, tokenizer, settings = MagicMock(device="cpu"), MagicMock(), MagicMock()
    model.cuda.return_value = model.eval.return_value = model
    model.generate.return_value = torch.tensor([[1, 2, 3]])
    model.mmdecode.return_value = (["text"], [RED])
    tokenizer.convert_tokens_to_ids.return_value = 9
    modules = {
        "transformers": {
            "AutoModelForCausalLM": MagicMock(from_pretrained=lambda *a, **k: model),
            "AutoTokenizer": MagicMock(from_pretrained=lambda *a, **k: tokenizer),
        },
        "transformers.generation": {"GenerationConfig": settings},
    }
    assert is_red(served(worker("x_omni", modules), "flux")[0])
    model.init_vision.assert_called_once_with("flux")
    assert tokenizer.call_args.args[0] == ["a cup<SOM>72 72<IMAGE>"]
    assert settings.call_args.kwargs["max_new_tokens"] == 5184
    assert settings.call_args.kwargs["min_p"] == 0.03
    assert model.mmdecode.call_args.args[1].tolist() == [1, 2, 3, 9]


def test_show_o(worker, served, monkeypatch):
    sizes = SimpleNamespace(llm_model_path="phi", num_vq_tokens=16, codebook_size=64, pretrained_model_path="show-o")
    config = SimpleNamespace(
        model=SimpleNamespace(showo=sizes, vq_model=SimpleNamespace(vq_model_name="magvit")),
        dataset=SimpleNamespace(preprocessing=SimpleNamespace(max_seq_length=128)),
    )
    prompting = MagicMock(side_effect=lambda given, task: (torch.full((1, 20), len(given[0][0])), None))
    prompting.sptids_dict = {f"<|{name}|>": torch.tensor([i]) for i, name in enumerate(("pad", "soi", "eoi"))}
    masks, model, decoder = MagicMock(), MagicMock(), MagicMock()
    model.to.return_value.eval.return_value, decoder.to.return_value.eval.return_value = model, decoder
    model.device, model.config.mask_token_id = torch.device("cpu"), 99
    model.t2i_generate.return_value = torch.tensor([[3, 70]])
    decoder.decode_code.return_value = red()[None]
    modules = {
        "models": {
            "MAGVITv2": MagicMock(from_pretrained=lambda name: decoder),
            "Showo": MagicMock(from_pretrained=lambda name: model),
            "get_mask_chedule": lambda name: name,
        },
        "omegaconf": {"OmegaConf": MagicMock(load=lambda path: config)},
        "training.prompting_utils": {
            "UniversalPrompting": MagicMock(return_value=prompting),
            "create_attention_mask_predict_next": masks,
        },
        "transformers": {"AutoTokenizer": MagicMock()},
    }
    assert is_red(served(worker("show_o", modules), "repository")[0])
    given = model.t2i_generate.call_args.kwargs
    assert (given["guidance_scale"], given["timesteps"], given["noise_schedule"]) == (5, 50, "cosine")
    assert given["uncond_input_ids"].unique().tolist() == [0]
    assert masks.call_args.kwargs == {"pad_id": 0, "soi_id": 1, "eoi_id": 2, "rm_pad_in_image": True}
    assert decoder.decode_code.call_args.args[0].tolist() == [[3, 63]]


def test_the_loop_answers_evalkit_and_outlives_a_failed_request(tmp_path):
    program = tmp_path / "tiny.py"
    program.write_text(
        f"import sys\nsys.path.insert(0, {str(FOLDER)!r})\n"
        "from PIL import Image\nfrom worker_loop import serve\n"
        "def draw(model, prompt, seed, temperature=1.0):\n"
        "    if prompt == 'bad':\n        raise ValueError('no such thing')\n"
        "    return Image.new('RGB', (4, 4), (seed, 0, 0))\n"
        "serve(lambda: None, draw, {'guidance': 5.0})\n"
    )
    runner = CommandGenerator("tiny", f"{sys.executable} {program}")
    runner.tries, told = 1, replace(runner.default_sampler, temperature=0.5)
    try:
        asked = [Request(str(i), prompt=p, seed=i) for i, p in enumerate(["good", "bad", "good"])]
        first, failed, last = runner.generate(asked)
        (hotter,) = runner.generate([replace(asked[0], sampler=replace(told, unset=told.unset - {"temperature"}))])
        refused = runner.generate([replace(asked[0], negative="rain"), replace(asked[0], source_image=RED_PIXELS)])
    finally:
        runner.close()
    assert (int(first.pixels.max()), int(last.pixels.max())) == (0, 2)
    assert "no such thing" in failed.reason
    assert first.notes == {"sampler": {"guidance": 5.0, "temperature": 1.0}}
    assert hotter.notes == {"sampler": {"guidance": 5.0, "temperature": 0.5}}
    assert "takes no negative" in refused[0].reason
    assert "takes no image" in refused[1].reason


def test_nextstep_1(worker, served, monkeypatch):
    pipeline, made = MagicMock(), MagicMock()
    made.return_value.to.return_value = pipeline
    pipeline.generate_image.return_value = [RED]
    modules = {"nextstep.models.pipeline_nextstep": {"NextStepPipeline": made}}
    assert is_red(served(worker("nextstep_1", modules), "weights", "tokenizer")[0])
    assert made.call_args.kwargs == {"model_name_or_path": "weights", "vae_name_or_path": "tokenizer"}
    given = pipeline.generate_image.call_args.kwargs
    assert (given["captions"], given["seed"], given["cfg"], given["num_sampling_steps"]) == ("a cup", 7, 7.5, 50)
    assert given["images"] is None
