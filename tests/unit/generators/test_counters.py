"""What a step costs, counted where no GPU is: operators by the profiler, transfers and waits on a device that is not there."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from helpers.filled import generator
from helpers.small.families import FAMILIES
from helpers.small.scales import BIT_SCALES
from helpers.small.scales import SCALES as SIDES
from torch._dynamo.testing import CompileCounter
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode

from evalkit.generators.base import Request
from evalkit.generators.distilled import Distilled
from evalkit.generators.guidance import Guidance
from evalkit.generators.latent import LatentGenerator
from evalkit.generators.llamagen import LlamaGen, LlamaGenConfig
from evalkit.generators.nets.decoder import Decoding
from evalkit.generators.next_scale import NextScaleGenerator
from evalkit.generators.registry import Source
from evalkit.generators.sampling import Sampler
from evalkit.generators.xar import times
from evalkit.tokenizers.nets.residual import ResidualCodebook
from evalkit.world.ar_net import WorldARConfig, WorldARNet

WAITS = ("_local_scalar_dense", "nonzero", "item", "equal.default")
CASES = {
    f"{family}/{name}": case
    for family, cases in FAMILIES.items()
    if family.startswith("generator-")
    for name, case in cases.items()
    if name not in ("qk-norm", "own", "rope", "patched") or "gigatok" not in family
}


class Counted(TorchDispatchMode):
    """Counts transfers between devices and calls that wait for one."""

    def __init__(self) -> None:
        super().__init__()
        self.moved = 0
        self.waits: list[str] = []

    def __torch_dispatch__(self, call: Any, types: Any, args: Any = (), options: Any = None) -> Any:
        found = call(*args, **(options or {}))
        name = str(call)
        self.waits += [name] if any(each in name for each in WAITS) else []
        given = [each.device for each in args if isinstance(each, torch.Tensor)]
        there = given[1:] if "copy_" in name else [found.device] if isinstance(found, torch.Tensor) else []
        if ("copy" in name or "aten.to." in name) and given and any(each != given[0] for each in there):
            self.moved += 1
        return found


def on_fake_gpu(case: Any) -> Any:
    """The small model of a family on a GPU that computes nothing, with stand-ins for text and tokenizer."""
    with torch.device("cuda"):
        network = case.cls.build(case.config)
        network.to = lambda *where, **how: network
        model = case.cls(
            Source("fake", case.config, None, None, None, None, torch.device("cuda"), torch.float32), network
        )
        if isinstance(model, NextScaleGenerator):
            model.use_scales(SIDES)
            quantize = ResidualCodebook(case.config.codes, case.config.dim) if case.cls.__name__ == "Var" else None
            table = torch.zeros(case.config.codes, case.config.dim)
            model._tokenizer = SimpleNamespace(
                network=SimpleNamespace(quantize=quantize or SimpleNamespace(table=lambda: table))
            )
        if isinstance(model, Distilled):
            table = torch.zeros(case.config.net.codes, model.dim)
            model._tokenizer = SimpleNamespace(network=SimpleNamespace(quantize=SimpleNamespace(table=lambda: table)))
        if "infinity" in case.cls.__module__:
            model._use(BIT_SCALES, (16, 16))
            model.encode_conditions = lambda requests: torch.ones(len(requests), 6, 257)
        elif "world" in case.cls.__module__:
            model.encode_conditions = lambda requests: torch.ones(
                len(requests), case.config.text, dtype=torch.int64, device="cuda"
            )
        elif case.cls.conditions == "text":
            count = case.config.caption_tokens
            model.encode_conditions = lambda requests: torch.ones(
                len(requests), count, case.config.caption + 1, device="cuda"
            )
    return model


def drawn(model: Any, steps: int) -> None:
    requests = [Request(str(i), prompt="a photo", class_id=i, seed=i) for i in range(2)]
    if isinstance(model, LatentGenerator):
        model.head_steps = model.global_steps = "3"
        steps = min(steps, 2) if isinstance(model, Distilled) else steps
        model._latents(requests, replace(model.default_sampler, steps=steps))
    else:
        model._sample(requests, model.default_sampler)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_loop_never_waits_for_the_device_and_moves_numbers_to_it_once_an_iteration(case):
    times(3)
    with FakeTensorMode(allow_non_fake_inputs=True):
        model = on_fake_gpu(case)
        with Counted() as counted:
            drawn(model, 3)
    assert counted.waits == []
    iterations = model.evaluations(Sampler(steps=3)) if isinstance(model, LatentGenerator) else 0
    assert counted.moved <= 3 + iterations


def operators(layers: int, codes: int) -> int:
    """Calls that are no part of another, of a draw of so many codes under guidance."""
    model = generator(LlamaGen, LlamaGenConfig(layers, 20, 80, codes=64, classes=5, grid=4))
    model.rows, model.tokens_per_image = 1, codes
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        model.sample_tokens([Request("0", class_id=1, sampler=Sampler(Guidance("llamagen", 2.0)))])
    own = [each for each in seen.events() if each.name.startswith("aten::")]
    return sum(each.cpu_parent is None or not each.cpu_parent.name.startswith("aten::") for each in own)


def test_a_step_of_llamagen_xl_calls_1400_operators_at_most():
    """Before the cache had views and places were tensors, there were 2,741."""
    two, four = ((operators(layers, 5) - operators(layers, 3)) / 2 for layers in (2, 4))
    assert 20 < two + 34 * (four - two) / 2 <= 1400


@pytest.mark.parametrize("place", [1, 9])
def test_a_decoding_step_is_one_graph_wherever_it_stands(place):
    """torch.export meets no value that it would have to wait for, and the graph of one place computes any other."""
    model = generator(LlamaGen, LlamaGenConfig(2, 2, 16, codes=24, classes=5, grid=4))
    codes = torch.tensor([[3], [4]])

    class Step(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.state = Decoding(model.network, torch.tensor([1, 2]), 16)
            self.network = model.network

        def forward(self, codes: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
            return self.state.step(codes, at, 32)

    with torch.no_grad():
        step = Step()
        graph = torch.export.export(step, (codes, torch.tensor([5]))).module()
        assert torch.allclose(graph(codes, torch.tensor([place])), step(codes, torch.tensor([place])), atol=1e-5)


def test_a_step_of_the_reference_world_is_compiled_once():
    counter = CompileCounter()
    network = WorldARNet(WorldARConfig(width=16, layers=3, heads=2, codes=8, side=2, text=4, vocabulary=9)).eval()
    with torch.inference_mode():
        _, cache = network.begin(torch.zeros(1, 4, dtype=torch.int64))
        step = torch.compile(lambda codes, at: network.step(codes, at, 32, cache), backend=counter)
        for place in (5, 6, 7):
            step(torch.zeros(1, 1, dtype=torch.int64), torch.tensor([place]))
    assert counter.frame_count == 1


def test_weights_that_are_cast_once_give_what_autocast_gives_at_every_call(monkeypatch):
    case = CASES["generator-var/own"]
    source = Source("low", case.config, None, None, None, None, torch.device("cpu"), torch.bfloat16)

    def scores() -> torch.Tensor:
        model = case.cls(source, generator(case.cls, case.config, case.gains).network)
        return case.run(model)["logits"]

    once = scores()
    monkeypatch.setattr(case.cls, "lower", lambda self, network: None)
    assert torch.equal(once, scores())


def test_heads_that_work_in_float32_stay_there():
    case = CASES["generator-infinity/plain"]
    source = Source("low", case.config, None, None, None, None, torch.device("cpu"), torch.bfloat16)
    network = case.cls(source, generator(case.cls, case.config, case.gains).network).network
    low = {name.split(".")[0] for name, part in network.named_parameters() if part.dtype == torch.bfloat16}
    high = {name.split(".")[0] for name, part in network.named_parameters() if part.dtype == torch.float32}
    assert {"block_chunks", "word_embed", "text_proj_for_ca"} <= low
    assert {"head", "head_nm", "shared_ada_lin", "lvl_embed"} <= high
