"""Infinity: the cached loop is the teacher-forced network, guidance on logits and inside, bits, sizes, official names."""

import json

import pytest
import torch
from helpers.near import are_best, same
from safetensors.torch import save_file

from evalkit.errors import EvalkitError
from evalkit.generators import infinity as module
from evalkit.generators.accelerate.hack import Hack, compress
from evalkit.generators.base import Request
from evalkit.generators.guidance import Guidance
from evalkit.generators.infinity import Infinity, InfinityConfig
from evalkit.generators.nets.bit_scales import Sums, mask_of, rotary, split
from evalkit.generators.nets.caption import TextFeatures
from evalkit.generators.nets.infinity import Stage
from evalkit.generators.registry import GENERATORS, Source, load_generator
from evalkit.generators.sampling import Sampler, uniforms
from evalkit.tokenizers.infinity import SCHEDULES
from evalkit.tokenizers.infinity import Infinity as Tokenizer
from evalkit.tokenizers.infinity import InfinityConfig as TokenizerConfig
from evalkit.tokenizers.nets.residual_bits import decode_bits
from evalkit.tokenizers.nets.taming import TamingConfig

PLAIN = InfinityConfig(4, 32, 2, chunks=2, bits=4, grid=(16, 16), features=256, text_tokens=6)
PATCHED = InfinityConfig(2, 32, 2, chunks=1, bits=8, patch=2, grid=(16, 16), features=256, text_tokens=6)
CONFIGS = {"plain": PLAIN, "patched": PATCHED}
SCALES = ((1, 1), (2, 2), (4, 3), (6, 5))
COUNT = 47
GUIDED = Guidance("constant", 2.0)


def made(config, dtype=torch.float32):
    torch.manual_seed(0)
    network = Infinity.build(config)
    for tensor in network.state_dict().values():
        tensor.normal_(std=0.4)
    model = Infinity(Source("tiny", config, None, None, None, None, torch.device("cpu"), dtype), network)
    model._use(SCALES, (64, 64))
    bits, patch = config.bits // config.patch**2, config.patch
    net = TamingConfig(ch=32, mult=(1,), blocks=1, z=bits, middle=False)
    settings = TokenizerConfig(bits, net, (((1, 1),), tuple((r * patch, c * patch) for r, c in SCALES)))
    built = Tokenizer.build(settings)
    model._tokenizer = Tokenizer("tiny", settings, built, torch.device("cpu"), torch.float32)
    model.encode_conditions = texts
    return model


def texts(requests):
    """Features of `len(prompt)` words that follow from the prompt."""
    rows = [torch.randn(6, 256, generator=torch.Generator().manual_seed(ord(r.prompt[0]))) for r in requests]
    lengths = torch.tensor([len(r.prompt) for r in requests])
    return TextFeatures(torch.stack(rows), torch.arange(6) < lengths[:, None]).packed()


@pytest.fixture(params=sorted(CONFIGS))
def model(request):
    return made(CONFIGS[request.param])


def requests(sampler=None, n=3):
    return [Request(str(i), prompt="abcdefgh"[i] * (2 + i % 4), seed=10 + i, sampler=sampler) for i in range(n)]


def test_greedy_bits_maximise_the_guided_teacher_forced_logits(model):
    tokens = model.sample_tokens(requests(Sampler(GUIDED, top_k=1)))
    assert tokens.shape == (3, COUNT, model.config.bits)
    text = texts(requests())
    guided = GUIDED.combine(model.logits(text, tokens), model.logits(model.network.null(text), tokens), 1.0)
    assert are_best(tokens, guided)
    assert 0.2 < tokens.float().mean() < 0.8


def test_without_guidance_the_text_alone_decides(model):
    tokens = model.sample_tokens(requests(Sampler(Guidance("constant", 1.0), top_k=1)))
    assert are_best(tokens, model.logits(texts(requests()), tokens))


def test_guidance_inside_mixes_both_halves_behind_its_block():
    model, seen = made(PLAIN), []
    model.cfg_insertion_layer = -2
    model.logits_processors.append(lambda logits, step: (seen.append(logits), logits)[1])
    tokens = model.sample_tokens(requests(Sampler(GUIDED, top_k=1)))
    text = texts(requests())
    net, sums = model.network, Sums(model.scales, 1)
    prompt = net.read(torch.cat([text, net.null(text)]))
    parts = [net.start(prompt)]
    for number, bits in enumerate(torch.split(tokens, model.lengths, 1)[:-1]):
        parts.append(net.embed(sums.after(number, bits), number + 1).repeat(2, 1, 1))
    x, mask = torch.cat(parts, 1), mask_of(model.lengths, "cpu")
    stage = Stage(prompt, model.rope, mask)
    for layer, block in enumerate([*net.block_chunks[0].module, *net.block_chunks[1].module]):
        x = block(x, stage, layer)
        if layer == 2:
            x = (2 * x[:3] - x[3:]).repeat(2, 1, 1)
    logits = net.head(net.head_nm(x[:3], prompt.whole[:3])).view(3, COUNT, 4, 2)
    same(torch.cat(seen, 1)[:3], logits, 1e-4)


def test_guidance_inside_needs_a_block_of_the_network():
    model = made(PLAIN)
    model.cfg_insertion_layer = -4
    with pytest.raises(EvalkitError, match="-1 to -3"):
        model.sample_tokens(requests(n=1))


def test_images_and_codes_do_not_depend_on_the_batch(model):
    together = model.generate(requests(n=8))
    some = model.generate(requests(n=3))
    alone = model.generate(requests(n=8)[7:])
    assert all((a.pixels == b.pixels).all() for a, b in zip(together, some, strict=False))
    assert (together[7].pixels == alone[0].pixels).all()
    assert together[0].pixels.shape == (6 * model.config.patch, 5 * model.config.patch, 3)
    assert together[0].evaluations == 4


def test_what_padding_holds_has_no_influence():
    model = made(PLAIN)
    text = texts(requests())
    other = text.clone()
    other[..., :-1] += (1 - text[..., -1:]) * 100
    tokens = torch.randint(0, 2, (3, COUNT, 4))
    same(model.logits(other, tokens), model.logits(text, tokens))
    short = TextFeatures(text[:1, :2, :-1], text[:1, :2, -1])
    for given in (short, short.packed(), short.values):
        same(model.logits(given, tokens[:1]), model.logits(text[:1], tokens[:1]))


def test_every_bit_has_its_own_draw():
    model = made(PLAIN)
    model.logits_processors.append(lambda logits, step: torch.zeros_like(logits))
    tokens = model.sample_tokens(requests(Sampler(Guidance("constant", 1.0)), n=8))
    assert torch.equal(tokens, (uniforms(range(10, 18), COUNT * 4).view(8, COUNT, 4) >= 0.5).long())


def test_bfloat16_keeps_the_blocks_in_it_and_gives_float32_logits():
    model = made(PLAIN, torch.bfloat16)
    assert model.network.block_chunks[0].module[0].sa.mat_qkv.weight.dtype == torch.bfloat16
    tokens = model.sample_tokens(requests(n=1))
    low, high = (each.logits(texts(requests(n=1)), tokens) for each in (model, made(PLAIN)))
    assert low.dtype == torch.float32
    assert (low - high).abs().mean() < 0.1 * high.std()


def test_sizes_of_the_table_are_drawn_and_no_others():
    model = made(PLAIN)
    model.use_grid(16, 20)
    assert (model.scales, model.tokens_per_image, model.side) == (SCHEDULES[16, 20], 614, 320)
    assert model.rope.shape == (2, 614, 16)
    with pytest.raises(EvalkitError, match="272x256"):
        model.use_grid(17, 16)
    with pytest.raises(EvalkitError, match=r"takes bits \[1, 614, 4\] for 1 texts; \(1, 5, 4\) given"):
        model.logits(texts(requests(n=1)), torch.zeros(1, 5, 4, dtype=torch.int64))


def test_coarse_cells_stand_where_they_are_in_the_finest_map():
    table = rotary(((2, 2), (64, 64)), (64, 64), 16)
    assert table.shape == (4 + 4096, 8, 2)
    torch.testing.assert_close(table[3], table[4 + 32 * 64 + 32])
    speeds = 10000.0 ** (-torch.arange(0, 8, 2) / 8)
    torch.testing.assert_close(table[2, :, 0], torch.cat([torch.cos(32 * speeds), torch.ones(4)]))
    upright = rotary(SCHEDULES[20, 16], (70, 56), 16)
    assert upright.shape[0] == sum(r * c for r, c in SCHEDULES[20, 16])


def test_sums_are_those_of_the_tokenizer():
    scales = SCHEDULES[16, 16]
    bits = [torch.randint(0, 2, (1, r * c, 4)) for r, c in scales]
    sums = Sums(scales, 1)
    for number, each in enumerate(bits[:-1]):
        sums.after(number, each)
    whole = sums.total + decode_bits(bits[-1:], scales[-1:])
    same(whole, decode_bits(bits, scales))


def test_a_patched_code_holds_the_bits_of_four_cells():
    bits = torch.arange(2 * 8).view(1, 2, 8)
    cells = split(bits, (1, 2), 2).view(2, 4, 2)
    assert cells[0, 0].tolist() == [0, 4]
    assert cells[1, 1].tolist() == [3, 7]
    assert cells[0, 2].tolist() == [8, 12]


def test_prompts_are_read_at_full_length_without_cleaning(monkeypatch):
    heard = []

    class Fake:
        def __init__(self, key, given, device, dtype):
            heard.append(key)

        def __call__(self, said, tokens):
            heard.extend(said)
            return torch.ones(len(said), tokens, 256), torch.tensor([[1, 1, 1, 0, 0, 0]] * len(said))

    monkeypatch.setattr(module, "TextEncoder", Fake)
    model = made(PLAIN)
    for _ in range(2):
        packed = Infinity.encode_conditions(model, [Request("a", prompt="A  FOX")])
    assert heard == ["flan-t5-xl", "A  FOX", "A  FOX"]
    assert packed.shape == (1, 6, 257)
    assert packed[0, :, -1].tolist() == [1, 1, 1, 0, 0, 0]
    with pytest.raises(EvalkitError, match="prompt"):
        model.generate([Request("a", class_id=1)])


def test_official_names_are_the_parameter_names():
    block = ["ada_gss", "sa.scale_mul_1H11", "sa.q_bias", "sa.v_bias", "sa.mat_qkv.weight", "sa.proj.weight"]
    block += ["sa.proj.bias", "ca.v_bias", "ca.mat_q.weight", "ca.mat_q.bias", "ca.mat_kv.weight", "ca.proj.weight"]
    block += ["ca.proj.bias", "ffn.fc1.weight", "ffn.fc1.bias", "ffn.fc2.weight", "ffn.fc2.bias", "ca_norm.weight"]
    block += ["ca_norm.bias"]
    ends = ["cfg_uncond", "pos_start", "text_norm.weight", "lvl_embed.weight", "text_proj_for_sos.ca.mat_q"]
    ends += [f"text_proj_for_sos.ca.{name}" for name in ("v_bias", "mat_kv.weight", "proj.weight", "proj.bias")]
    linear = ["text_proj_for_ca.0", "text_proj_for_ca.2", "word_embed", "shared_ada_lin.1", "head_nm.ada_lin.1", "head"]
    ends += [f"{name}.{kind}" for name in linear for kind in ("weight", "bias")]
    places = [f"block_chunks.{chunk}.module.{i}." for chunk in range(2) for i in range(2)]
    assert set(Infinity.build(PLAIN).state_dict()) == {*ends, *(place + name for place in places for name in block)}


def entry(monkeypatch, config, weights):
    kind = type(GENERATORS.get("infinity-2b"))
    monkeypatch.setitem(GENERATORS._items, "tiny", kind("tiny", Infinity, config, weights, "infinity-d32reg"))


@pytest.mark.parametrize("trained", [False, True])
def test_official_files_load_with_the_buffers_that_they_carry(tmp_path, monkeypatch, trained):
    state = Infinity.build(PLAIN).state_dict()
    extra = {f"block_chunks.0.module.0.{part}.zero_k_bias": torch.zeros(32) for part in ("sa", "ca")}
    extra |= {"lvl_1L": torch.zeros(9), "Infinity_visible_kvlen": torch.zeros(9)}
    extra |= {"attn_bias_for_masking": torch.zeros(9), "Infinity_invisible_qlen": torch.zeros(9)}
    whole = {**state, **extra}
    torch.save({"trainer": {"gpt_fsdp": whole}} if trained else whole, tmp_path / "infinity_2b_reg.pth")
    entry(monkeypatch, PLAIN, "infinity_2b_reg.pth")
    model = load_generator("tiny", tmp_path, "cpu", "float32")
    assert model.weights_sha256
    monkeypatch.setenv("EVALKIT_OFFLINE", "1")
    with pytest.raises(EvalkitError, match=r"flan-t5-xl|transformers"):
        model.sample_tokens(requests(n=1))


def test_sharded_folders_load_whole(tmp_path, monkeypatch):
    state = {key: torch.randn_like(value) for key, value in Infinity.build(PLAIN).state_dict().items()}
    folder, where = tmp_path / "infinity_8b_weights", {}
    folder.mkdir()
    for i in range(4):
        name = f"model-0000{i + 1}-of-00004.safetensors"
        part = {key: state[key] for key in sorted(state)[i::4]}
        save_file(part, folder / name)
        where |= dict.fromkeys(part, name)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": where}))
    entry(monkeypatch, PLAIN, "infinity_8b_weights")
    for given in (tmp_path, folder):
        loaded = load_generator("tiny", given, "cpu", "float32").network.state_dict()
        assert all(torch.equal(loaded[key], state[key]) for key in state)


@pytest.mark.parametrize(
    ("name", "temperature", "side", "count"),
    [
        ("infinity-2b", 0.5, 1024, 10521),
        ("infinity-8b", 1.0, 1024, 10521),
        ("infinity-8b-512", 1.0, 512, 2521),
    ],
)
def test_registered_names_hold_the_authors_settings(name, temperature, side, count):
    entry = GENERATORS.get(name)
    config = entry.config
    small = InfinityConfig(
        1, 32, 1, chunks=1, bits=config.bits, patch=config.patch, grid=config.grid, temperature=config.temperature,
        scale=config.scale, features=256,
    )  # fmt: skip
    model = Infinity(
        Source(name, small, None, None, None, None, torch.device("cpu"), torch.float32), Infinity.build(small)
    )
    sampler = model.default_sampler
    assert (sampler.temperature, sampler.top_k, sampler.top_p, sampler.guidance.scale) == (temperature, 900, 0.97, 3.0)
    assert (model.side, model.tokens_per_image) == (side, count)
    assert config.width // config.heads == 128
    assert config.bits == 14 * 4 or config.patch == 1


def test_cache_budgets_by_class_of_head_work_here_too():
    model = made(PLAIN)
    hot = Sampler(GUIDED, temperature=30.0)  # the tiny network is too sure of its bits
    asked = [Request(str(i), prompt="abcdef"[: 2 + i], seed=i, sampler=hot) for i in range(2)]
    plain = model.sample_tokens(asked)
    compress(model, Hack(1.0, samples=1))
    assert torch.equal(plain, model.sample_tokens(asked))
    plan = compress(model, Hack(0.4, samples=1))
    model.sample_tokens(asked)
    assert plan.report()["kv_keys"] == pytest.approx(0.4 * (1 + 4 + 12), abs=1)


def test_the_papers_settings_are_those_of_the_evaluation_script_and_not_of_the_notebook():
    model = made(PLAIN)
    assert (model.preset("default").guidance.scale, model.preset("default").temperature) == (3.0, 0.5)
    assert (model.preset("paper").guidance.scale, model.preset("paper").temperature) == (4.0, 1.0)
    assert model.preset("paper").top_k == model.default_sampler.top_k
    with pytest.raises(EvalkitError, match="demo"):
        model.preset("demo")
