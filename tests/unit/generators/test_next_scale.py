"""VAR and FlexVAR: the cached loop is the teacher-forced network, guidance, scales, official names."""

import pytest
import torch
from helpers.drawn_codes import heard
from helpers.near import are_best, same

from evalkit.errors import EvalkitError
from evalkit.generators.base import Request
from evalkit.generators.flexvar import FlexVar, FlexVarConfig
from evalkit.generators.guidance import Guidance
from evalkit.generators.likelihood import code_nats
from evalkit.generators.registry import GENERATORS, Source, load_generator
from evalkit.generators.sampling import Sampler
from evalkit.generators.var import Var, VarConfig
from evalkit.tokenizers.flexvar import FlexVar as FlexVarTokenizer
from evalkit.tokenizers.llamagen import LlamaGenConfig
from evalkit.tokenizers.nets.taming import TamingConfig
from evalkit.tokenizers.var import Var as VarTokenizer
from evalkit.tokenizers.var import VarConfig as VarTokenizerConfig

SCALES = (1, 2, 3, 4)
NET = TamingConfig(ch=32, mult=(1, 1, 1, 1, 2), blocks=1, z=8, attention=frozenset(), fused=True)
CASES = {
    "var": (Var, VarConfig(2, SCALES, head=8, codes=24, dim=8, classes=5)),
    "var-shared": (Var, VarConfig(2, SCALES, shared=True, head=8, codes=24, dim=8, classes=5)),
    "var-plain": (Var, VarConfig(2, SCALES, head=8, codes=24, dim=8, classes=5, unit=False)),
    "flexvar": (FlexVar, FlexVarConfig(2, head=8, codes=24, dim=8, classes=5, table=8)),
}


def made(case, dtype=torch.float32):
    cls, config = CASES[case]
    torch.manual_seed(0)
    network = cls.build(config)
    for tensor in network.state_dict().values():
        tensor.normal_(std=0.4)
    source = Source("tiny", config, None, None, None, None, torch.device("cpu"), dtype)
    model = cls(source, network)
    if cls is Var:
        settings = VarTokenizerConfig(SCALES, NET, 24)
        built, kind = VarTokenizer.build(settings), VarTokenizer
    else:
        settings = LlamaGenConfig(mult=(1, 1, 1, 1, 1), codes=24, code_dim=8, ch=32, blocks=1, z=32)
        built, kind = FlexVarTokenizer.build(settings), FlexVarTokenizer
        model.use_scales(SCALES)
    model._tokenizer = kind("tiny", settings, built, torch.device("cpu"), torch.float32)
    return model


@pytest.fixture(params=sorted(CASES))
def model(request):
    return made(request.param)


def requests(sampler=None, n=3):
    return [Request(str(i), class_id=i, seed=10 + i, sampler=sampler) for i in range(n)]


def form(model):
    return "var" if isinstance(model, Var) else "flexvar"


def test_greedy_codes_maximise_the_guided_teacher_forced_logits(model):
    guidance = Guidance(form(model), 2.0)
    tokens = model.sample_tokens(requests(Sampler(guidance, top_k=1)))
    assert tokens.shape == (3, 30)
    cond = model.logits(torch.arange(3), tokens)
    free = model.logits(torch.full((3,), 5), tokens)
    start = 0
    for number, side in enumerate(SCALES):
        part = slice(start, start + side * side)
        guided = guidance.combine(cond[:, part], free[:, part], number / 3)
        assert are_best(tokens[:, part], guided)
        start += side * side


def test_without_guidance_the_condition_alone_decides(model):
    tokens = model.sample_tokens(requests(Sampler(Guidance(form(model), 0.0), top_k=1)))
    assert are_best(tokens, model.logits(torch.arange(3), tokens))


def test_images_and_codes_do_not_depend_on_the_batch(model):
    together = model.generate(requests(n=5))
    alone = [model.generate([request])[0] for request in reversed(requests(n=5))][::-1]
    assert all((a.pixels == b.pixels).all() for a, b in zip(together, alone, strict=True))
    assert together[0].pixels.shape == (64, 64, 3)
    assert together[0].evaluations == 4


def test_bfloat16_runs_and_gives_float32_logits():
    model = made("var", torch.bfloat16)
    tokens = model.sample_tokens(requests())
    assert model.logits(torch.arange(3), tokens).dtype == torch.float32


def test_processors_are_asked_scale_by_scale():
    model, seen = made("var"), []

    def note(logits, step):
        seen.append((step.number, step.positions, tuple(step.tokens.shape), step.seeds[:3]))
        return logits

    model.logits_processors.append(note)
    model.sample_tokens(requests())
    assert seen[2] == (2, range(5, 14), (4, 5), (10, 11, 12))


def test_flexvar_draws_other_scales_and_takes_untrained_sides_greedily():
    model = made("flexvar")
    model.use_scales((1, 2, 4, 7, 8))
    assert model.tokens_per_image == 134
    assert model.generate(requests(n=1))[0].pixels.shape == (128, 128, 3)
    assert model.sampler_at(3, Sampler(top_k=9)).top_k == 1
    assert model.sampler_at(4, Sampler(top_k=9)).top_k == 9
    model.largest = 4
    assert model.progress(4) == 1.0


@pytest.mark.parametrize(("case", "level"), [("var", 2), ("flexvar", 3)])
def test_levels_are_cut_or_rounded_as_the_official_scripts_do(case, level):
    model = made(case)
    model.tokenizer.decode = lambda codes: torch.full((len(codes), 3, 4, 4), 2.7 / 255)
    assert (model.generate(requests(n=1))[0].pixels == level).all()


def test_official_names_are_the_parameter_names():
    block = ["attn.scale_mul_1H11", "attn.q_bias", "attn.v_bias", "attn.mat_qkv.weight", "attn.proj.weight"]
    block += ["attn.proj.bias", "ffn.fc1.weight", "ffn.fc1.bias", "ffn.fc2.weight", "ffn.fc2.bias"]
    ends = [
        "pos_start",
        "pos_1LC",
        "word_embed.weight",
        "word_embed.bias",
        "class_emb.weight",
        "head.weight",
        "head.bias",
    ]
    ends += ["head_nm.ada_lin.1.weight", "head_nm.ada_lin.1.bias"]
    own = ["ada_lin.1.weight", "ada_lin.1.bias"]
    want = {*ends, *(f"blocks.{i}.{name}" for i in range(2) for name in [*block, *own])}
    assert set(FlexVar.build(CASES["flexvar"][1]).state_dict()) == want
    assert set(Var.build(CASES["var"][1]).state_dict()) == want | {"lvl_embed.weight"}
    shared = {*ends, "lvl_embed.weight", *(f"blocks.{i}.{name}" for i in range(2) for name in [*block, "ada_gss"])}
    shared |= {"shared_ada_lin.1.weight", "shared_ada_lin.1.bias"}
    assert set(Var.build(CASES["var-shared"][1]).state_dict()) == shared


@pytest.mark.parametrize("trained", [False, True])
def test_official_files_load_with_the_buffers_that_they_carry(tmp_path, monkeypatch, trained):
    cls, config = CASES["var"]
    network = cls.build(config)
    extra = {"lvl_1L": torch.zeros(1, 30), "attn_bias_for_masking": torch.zeros(1, 1, 30, 30)}
    extra |= {f"blocks.{i}.attn.zero_k_bias": torch.zeros(16) for i in range(2)}
    state = {**network.state_dict(), **extra}
    torch.save({"trainer": {"var_wo_ddp": state}, "epoch": 3} if trained else state, tmp_path / "var_d16.pth")
    monkeypatch.setitem(
        GENERATORS._items, "tiny", GENERATORS.get("var-d16").__class__("tiny", Var, config, "var_d16.pth", "var")
    )
    model = load_generator("tiny", tmp_path, "cpu", "float32")
    assert model.weights_sha256
    monkeypatch.setenv("EVALKIT_OFFLINE", "1")
    with pytest.raises(EvalkitError, match="vae_ch160v4096z32"):
        model.sample_tokens(requests())


@pytest.mark.parametrize(
    ("name", "scale", "side"), [("var-d16", 1.5, 256), ("var-d36", 1.5, 512), ("flexvar-d24", 2.5, 256)]
)
def test_registered_names_hold_the_authors_settings(name, scale, side):
    config = GENERATORS.get(name).config
    assert config.scale == scale
    assert 16 * (config.scales[-1] if hasattr(config, "scales") else 16) == side


def test_the_likelihood_of_drawn_codes_is_the_product_of_the_chances_with_which_they_were_drawn(model):
    model.rows, plain = 3, Sampler()
    codes, logs = heard(model, requests(plain), plain)
    same(-code_nats(model, requests(), codes), logs)
