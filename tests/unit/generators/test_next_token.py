"""Laws that every decoder of the LlamaGen family keeps: caches, guidance, batches, official files."""

from __future__ import annotations

import copy
import functools
import operator
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from helpers.drawn_codes import heard
from helpers.near import are_best, near, same
from torch import Tensor

from evalkit.errors import EvalkitError
from evalkit.generators.base import Request, Step
from evalkit.generators.dar_gpt import DarGpt, DarGptConfig
from evalkit.generators.detailflow_gpt import DetailFlowGpt, DetailFlowGptConfig
from evalkit.generators.gigatok_gpt import GigaTokGpt, GigaTokGptConfig
from evalkit.generators.guidance import Guidance
from evalkit.generators.hita_gpt import HitaGpt, HitaGptConfig, HitaGptNet
from evalkit.generators.likelihood import code_nats
from evalkit.generators.llamagen import LlamaGen, LlamaGenConfig
from evalkit.generators.nar import Nar, NarConfig, diagonal
from evalkit.generators.next_token import NextTokenGenerator
from evalkit.generators.registry import GENERATORS, Source
from evalkit.generators.sampling import Sampler, uniforms
from evalkit.weights.find import weights_manifest

SIZE = {"layers": 2, "heads": 2, "width": 16, "codes": 24, "classes": 5}


@dataclass(frozen=True)
class Family:
    """A tiny model, the order in which it makes codes, and the official keys beyond the common ones."""

    cls: type[NextTokenGenerator]
    config: object
    keys: tuple[str, ...] = ()
    layers: int = 2
    order: tuple[int, ...] | None = None
    wraps: tuple[str | None, ...] = ("model", "module", "state_dict", None)


def giga(**options: object) -> GigaTokGptConfig:
    return GigaTokGptConfig(**SIZE, tokens=9, **options)  # type: ignore[arg-type]


POSITIONS, FINAL = "positional_embedding", ("final_adaLN.1.weight", "final_adaLN.1.bias")
NORMS = tuple(f"layers.{i}.attention.{n}_norm.{p}" for i in range(2) for n in "qk" for p in ("weight", "bias"))
OWN = tuple(f"layers.{i}.adaLN_modulation.1.{p}" for i in range(2) for p in ("weight", "bias"))
SHARED = ("adaLN.1.weight", "adaLN.1.bias", "layers.1.ada_gss", "layers.2.ada_gss")
EMA = ("ema", "model", "module", "state_dict", None)
FAMILIES = {
    "llamagen": Family(LlamaGen, LlamaGenConfig(**SIZE, grid=3)),  # type: ignore[arg-type]
    "d-ar": Family(DarGpt, DarGptConfig(**SIZE, tokens=9)),  # type: ignore[arg-type]
    "gigatok": Family(GigaTokGpt, giga(), (POSITIONS,)),
    "gigatok-qk": Family(GigaTokGpt, giga(qk_norm=True), (POSITIONS, *NORMS)),
    "gigatok-rope": Family(GigaTokGpt, giga(rope=True)),
    "gigatok-own": Family(GigaTokGpt, giga(adaptive="own"), (POSITIONS, *OWN, *FINAL)),
    "gigatok-shared": Family(GigaTokGpt, giga(adaptive="shared", plain=1), (POSITIONS, *SHARED, *FINAL), 3),
    "nar": Family(
        Nar,
        NarConfig(**SIZE, grid=3),  # type: ignore[arg-type]
        ("medusa_norm.weight", "medusa_output.weight"),
        3,
        (0, 1, 3, 2, 4, 6, 5, 7, 8),
    ),
    "detailflow": Family(
        DetailFlowGpt,
        DetailFlowGptConfig(**SIZE, tokens=12, group=3, causal=6),  # type: ignore[arg-type]
        ("spe_tok_embeddings.special_embeddings.weight",),
        wraps=EMA,
    ),
    "hita": Family(
        HitaGpt,
        HitaGptConfig(**SIZE, slots=4, grid=2),  # type: ignore[arg-type]
        ("slot_embeddings.weight", "slot_pos.weight"),
        wraps=EMA,
    ),
}
every = pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)


def source(config: object, weights: Path | None = None) -> Source:
    return Source("tiny", config, "c2i_B_256.pt", None, weights, None, torch.device("cpu"), torch.float32)


def made(family: Family, seed: int = 0) -> NextTokenGenerator:
    torch.manual_seed(seed)
    network = family.cls.build(family.config)
    for tensor in network.state_dict().values():
        tensor.normal_(std=0.5)
    return family.cls(source(family.config), network)


def asked(count: int, sampler: Sampler | None) -> list[Request]:
    return [Request(str(i), class_id=i % 5, seed=i, sampler=sampler) for i in range(count)]


def sampled_logits(model: NextTokenGenerator, classes: Tensor, codes: Tensor) -> Tensor:
    """Teacher forcing as the official sampler runs the network (Hita's embeds its last slot as a block)."""
    network = copy.deepcopy(model.network)
    if isinstance(network, HitaGptNet):
        network.embed = lambda tokens, at: HitaGptNet.embed(network, tokens, at + 1)  # type: ignore[method-assign]
    with torch.inference_mode():
        return torch.as_tensor(network(classes, codes))


@every
@pytest.mark.parametrize("seed", [0, 1])
def test_greedy_decoding_with_a_cache_equals_the_argmax_of_teacher_forced_guided_logits(
    family: Family, seed: int
) -> None:
    model = made(family, seed)
    codes = model.sample_tokens(asked(3, Sampler(Guidance("llamagen", 3.0), top_k=1)))
    classes = torch.tensor([0, 1, 2])
    cond, uncond = (sampled_logits(model, c, codes) for c in (classes, torch.full_like(classes, 5)))
    assert codes.shape == (3, model.tokens_per_image)
    assert are_best(codes, uncond + 3.0 * (cond - uncond))
    assert len(set(codes.flatten().tolist())) > 1


@every
def test_without_guidance_the_conditional_branch_alone_decides(family: Family) -> None:
    model = made(family)
    codes = model.sample_tokens(asked(2, Sampler(Guidance("llamagen", 1.0), top_k=1)))
    assert are_best(codes, sampled_logits(model, torch.tensor([0, 1]), codes))
    assert torch.equal(codes, model.sample_tokens(asked(2, Sampler(top_k=1))))


@every
def test_logits_are_those_of_the_conditional_branch_in_float32(family: Family) -> None:
    model = made(family)
    codes = torch.randint(24, (2, model.tokens_per_image))
    logits = model.logits(torch.tensor([3, 4]), codes)
    assert logits.shape == (2, model.tokens_per_image, 24)
    assert logits.dtype == torch.float32
    same(logits[1:], model.logits(torch.tensor([4]), codes[1:]))


@every
def test_a_code_is_predicted_from_those_before_it_alone(family: Family) -> None:
    model = made(family)
    codes = torch.randint(24, (1, model.tokens_per_image), generator=torch.Generator().manual_seed(1))
    order = family.order or tuple(range(model.tokens_per_image))
    base, late = model.logits(torch.tensor([1]), codes), codes.clone()
    late[0, list(order[5:])] = (late[0, list(order[5:])] + 7) % 24
    other = model.logits(torch.tensor([1]), late)
    same(base[0, list(order[:6])], other[0, list(order[:6])])
    assert not near(base[0, order[-1]], other[0, order[-1]], 1e-3)


@every
@pytest.mark.parametrize("sampler", [None, Sampler(Guidance("llamagen", 2.0, interval=3), top_k=7, top_p=0.9)])
def test_a_request_gives_the_same_codes_in_a_batch_of_any_size(family: Family, sampler: Sampler | None) -> None:
    model = made(family)
    model.rows = 3
    eight = model.sample_tokens(asked(8, sampler))
    three = model.sample_tokens(asked(8, sampler)[3:6])
    one = model.sample_tokens(asked(8, sampler)[4:5])
    assert torch.equal(eight[3:6], three)
    assert torch.equal(eight[4:5], one)


@every
def test_codes_are_drawn_with_the_numbers_of_the_request_at_their_places(family: Family) -> None:
    model = made(family)
    model.logits_processors.append(lambda logits, step: torch.zeros_like(logits))
    codes = model.sample_tokens(asked(3, Sampler()))
    assert torch.equal(codes, (uniforms((0, 1, 2), model.tokens_per_image) * 24).long())


@every
def test_parameters_have_the_official_names(family: Family) -> None:
    parts = ["attention.wqkv", "attention.wo", "feed_forward.w1", "feed_forward.w3", "feed_forward.w2"]
    parts += ["attention_norm", "ffn_norm"]
    want = {f"layers.{i}.{part}.weight" for i in range(family.layers) for part in parts}
    want |= {"cls_embedding.embedding_table.weight", "tok_embeddings.weight", "norm.weight", "output.weight"}
    assert set(family.cls.build(family.config).state_dict()) == want | set(family.keys)


@every
def test_official_files_load_by_the_wrapping_that_the_official_loader_takes(family: Family, tmp_path: Path) -> None:
    good, bad = made(family, 1).network.state_dict(), made(family, 2).network.state_dict()
    for number, wrap in enumerate(family.wraps):
        path = tmp_path / "model.pt"
        inner: dict[str, object] = {**good, "freqs_cis": torch.zeros(2)}
        rest = {later: bad for later in family.wraps[number + 1 :] if later and wrap}
        torch.save(inner if wrap is None else {wrap: inner, **rest, "steps": 1}, path)
        loaded = family.cls.load(source(family.config, path)).network
        assert torch.equal(loaded.state_dict()["output.weight"], good["output.weight"])


@every
def test_processors_see_every_code_once_in_order(family: Family) -> None:
    model = made(family)
    model.rows = 2
    seen: list[Step] = []

    def ban_low(logits: Tensor, step: Step) -> Tensor:
        seen.append(step)
        return logits.index_fill(-1, torch.arange(20), -torch.inf)

    model.logits_processors.append(ban_low)
    codes = model.sample_tokens(asked(2, Sampler(Guidance("llamagen", 2.0))))
    assert int(codes.min()) >= 20
    order = [place for step in seen for place in step.positions]
    assert order == list(family.order or range(model.tokens_per_image))
    assert [step.number for step in seen] == list(range(len(seen)))
    for step, done in zip(seen, [0, *torch.tensor([len(s.positions) for s in seen]).cumsum(0).tolist()], strict=False):
        assert step.seeds == (0, 1)
        assert step.tokens.shape == (2, done)


@every
@pytest.mark.parametrize("shape", [(1, 0), (1, 99), (2, 9)])
def test_codes_of_another_number_are_refused(family: Family, shape: tuple[int, int]) -> None:
    model = made(family)
    with pytest.raises(EvalkitError, match=r"tokens|codes"):
        model.logits(torch.tensor([1]), torch.zeros(shape, dtype=torch.int64))


@pytest.mark.parametrize("name", ["llamagen", "d-ar", "gigatok", "detailflow", "hita"])
def test_the_first_codes_alone_have_the_same_logits(name: str) -> None:
    model = made(FAMILIES[name])
    codes = torch.randint(24, (1, model.tokens_per_image))
    whole = model.logits(torch.tensor([2]), codes)
    for count in range(1, model.tokens_per_image):
        same(model.logits(torch.tensor([2]), codes[:, :count]), whole[:, :count])


def test_evaluations_are_steps_of_the_network() -> None:
    def count(name: str) -> int:
        model = made(FAMILIES[name])
        return model._tokens(torch.tensor([1]), Sampler(top_k=1), torch.zeros(1, 12), (0,))[1]

    assert [count(n) for n in ("llamagen", "nar", "detailflow", "hita")] == [9, 5, 8, 8]


@pytest.mark.parametrize("grid", [1, 2, 5])
def test_diagonals_cover_the_map_once(grid: int) -> None:
    places = [list(diagonal(number, grid)) for number in range(2 * grid - 1)]
    assert sorted(functools.reduce(operator.iadd, places, [])) == list(range(grid**2))
    for number, row in enumerate(places):
        assert all(place // grid + place % grid == number for place in row)


def test_detailflow_fades_its_guidance_by_group() -> None:
    model = made(FAMILIES["detailflow"])
    scales: list[float] = []

    class Heard(Guidance):
        def combine(self, cond: Tensor, uncond: Tensor, progress: float) -> Tensor:
            scales.append(self.at(progress))
            return super().combine(cond, uncond, progress)

    model.sample_tokens(asked(1, Sampler(Heard("detailflow", 5.0, schedule="linear_re"), top_k=1)))
    assert scales == pytest.approx([5.0] * 6 + [5.0 * (4 - group + 1) / 5 for group in (2, 3)])


def test_d_ar_guidance_grows_from_start_to_scale() -> None:
    guidance = made(FAMILIES["d-ar"]).default_sampler.guidance
    assert [guidance.at(i / 8) for i in (0, 4, 8)] == pytest.approx([1.2, 4.6, 8.0])


NAMES: tuple[tuple[str, str, str, Callable[[Guidance], bool]], ...] = (
    ("gigatok-gpt-b-xlxxl", "GPT_B256_e300_VQ_XLXXL.pt", "gigatok-xlxxl", lambda g: g.at(0.1) < 1.01 < g.at(0.2)),
    ("gigatok-gpt", "GPT_B256_e300_VQ_BL.pt", "gigatok-bl", lambda g: g.scale == 2.5),
    ("d-ar-xl", "D-AR-XL-360K.pt", "d-ar", lambda g: g.start == 1.2),
    ("detailflow-64-gpt-l", "detailflow-64-gpt-l", "detailflow-64", lambda g: g.scale == 1.32),
    ("nar-xxl", "nar-xxl", "llamagen-vq16", lambda g: g.scale == 2.0),
    ("hita-gpt-u-2b", "hita-gpt-u-2b", "hita-u", lambda g: g.scale == 1.5),
)


@pytest.mark.parametrize(("name", "weights", "tokenizer", "law"), NAMES)
def test_names_stand_for_official_files(
    name: str, weights: str, tokenizer: str, law: Callable[[Guidance], bool]
) -> None:
    from evalkit.tokenizers.registry import TOKENIZERS

    entry = GENERATORS.get(name)
    assert entry.weights == weights
    assert weights in weights_manifest()
    assert entry.tokenizer == tokenizer
    assert TOKENIZERS.get(tokenizer)
    cls = entry.cls
    assert issubclass(cls, NextTokenGenerator)
    bare = cls(source(entry.config), torch.nn.Linear(1, 1))  # sizes follow from the configuration alone
    assert law(bare.default_sampler.guidance)
    assert bare.tokens_per_image in (256, 512, 569)


def test_hita_embeds_the_last_slot_as_the_official_sampler_does() -> None:
    model = made(FAMILIES["hita"])
    network, codes = model.network, torch.arange(8)[None]
    trained, sampled = (
        network.embed(codes, torch.arange(8)),
        torch.cat([network.embed_sampled(codes[:, i : i + 1], torch.tensor([i])) for i in range(8)], 1),
    )
    equal = (trained == sampled).all(-1)[0].tolist()
    assert equal == [True, True, True, False, True, True, True, True]


@every
def test_the_likelihood_of_drawn_codes_is_the_product_of_the_chances_with_which_they_were_drawn(
    family: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, plain = made(family), Sampler()
    model.rows = 3
    requests = asked(3, plain)
    codes, logs = heard(model, requests, plain)
    if family.cls is HitaGpt:  # its official sampler runs the network otherwise than training did
        monkeypatch.setattr(model, "logits", lambda classes, codes: sampled_logits(model, classes, codes))
    same(-code_nats(model, requests, codes), logs)
