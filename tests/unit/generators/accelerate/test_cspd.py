"""CSpD on tiny MARs: neutral settings are the plain run, drafts are judged by densities, requests stay independent."""

import numpy as np
import pytest
import torch

from evalkit.generators.accelerate.cspd import judge
from evalkit.generators.accelerate.settings import Cspd
from evalkit.generators.accelerate.start import accelerate
from evalkit.generators.base import Request
from evalkit.generators.guidance import Guidance
from evalkit.generators.mar import Mar, MarConfig
from evalkit.generators.nets.diffusion_head import Trace
from evalkit.generators.registry import Source
from evalkit.generators.sampling import Sampler
from evalkit.jobs.options import RunOptions
from evalkit.tasks.generate import generate_images
from evalkit.tokenizers.mar import MarKl16
from evalkit.tokenizers.nets.taming import TamingConfig


def mar(seed, width=16, depth=2):
    torch.manual_seed(seed)
    config = MarConfig(width, depth, 2, (2, 12), 2.9, side=4, channels=4, buffer=3, classes=5)
    network = Mar.build(config)
    for tensor in network.state_dict().values():
        tensor.normal_(std=0.3)
    made = Mar(
        Source(f"tiny-{seed}", config, None, "mar-kl16", None, None, torch.device("cpu"), torch.float32), network
    )
    made.head_steps = "4"
    net = TamingConfig(ch=32, mult=(1, 1, 1, 1, 2), blocks=1, z=4, attention=frozenset(), moments=True)
    made._tokenizer = MarKl16("tiny", net, MarKl16.build(net), torch.device("cpu"), torch.float32)
    return made


def asked(n=3, steps=16):
    sampler = Sampler(Guidance("mar", 2.0), steps=steps)
    return [Request(str(i), class_id=i % 5, seed=i, sampler=sampler) for i in range(n)]


def start(model, **settings):
    return accelerate(model, Cspd("draft", **settings), lambda name: mar(9, 8, 1))


@pytest.mark.parametrize("steps", [5, 16, 40])
def test_prefilling_everything_is_the_plain_run(steps):
    model = mar(0)
    plain = model.latents(asked(steps=steps))
    start(model, prefill=1.0)
    assert torch.equal(model.latents(asked(steps=steps)), plain)


def test_a_draft_by_the_same_model_of_one_iteration_is_kept_and_is_the_plain_run():
    model = mar(0)
    plain = model.latents(asked())
    accelerate(model, Cspd("draft", length=1), lambda name: mar(0))
    assert torch.equal(model.latents(asked()), plain)
    notes = model.generate(asked())[0].notes["acceleration"]
    assert notes["kept"] == notes["drafted"] == 15


def test_passes_are_counted_and_the_law_changes():
    model = mar(0)
    plain = model.latents(asked())
    made = start(model, length=5, slack=1.0)
    assert not torch.equal(model.latents(asked()), plain)
    images = model.generate(asked())
    notes = images[0].notes["acceleration"]
    assert images[0].evaluations == notes["target_evaluations"] == 1 + 3
    assert (notes["draft_evaluations"], notes["drafted"], notes["codes"], notes["rounds"]) == (15, 15, 16, 3)
    report = made.report([image.notes["acceleration"] for image in images])
    assert report["law"] == "changed"
    assert report["step_compression"] == 4.0
    made.off()
    assert torch.equal(model.latents(asked()), plain)


def test_a_request_gives_the_same_image_in_any_company():
    model = mar(0)
    start(model, length=3)
    together = model.generate(asked(5))
    alone = [model.generate([request])[0] for request in reversed(asked(5))][::-1]
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(together, alone, strict=True))
    assert [a.notes for a in together] == [b.notes for b in alone]


def test_a_run_loads_the_draft_and_counts(tmp_path, monkeypatch):
    small = mar(9, 8, 1)
    small.weights_sha256 = "d" * 64
    monkeypatch.setattr("evalkit.tasks.generate.generate.describe_generator", lambda name, *rest: small)
    monkeypatch.setattr("evalkit.tasks.generate.acceleration.loaded", lambda draft, device: small)
    model = mar(0)
    run = generate_images(
        model,
        "classes:imagenet:0-3",
        steps=16,
        accelerate="cspd:draft=mar-b,length=5",
        options=RunOptions(out=tmp_path / "run", device="cpu"),
    )
    said = run.record["acceleration"]
    assert (said["kind"], said["law"], said["draft_weights"]) == ("cspd", "changed", "d" * 64)
    assert said["step_compression"] == 4.0
    assert said["speed_up"] > 0
    assert {row["metric"] for row in run.results} >= {"step_compression", "acceptance_length"}


def law(mean, deviation=1.0, widths=0.0, n=4000):
    return Trace(*(torch.full((n, 1), float(each)) for each in (mean, deviation, widths)))


def test_equal_laws_keep_every_draft_and_distant_ones_none():
    same = judge(law(0.3), law(0.3), torch.Generator().manual_seed(0), Cspd("d", slack=1.0))
    assert bool(same.kept.all())
    far = judge(law(0.0), law(60.0), torch.Generator().manual_seed(0), Cspd("d", slack=1.0))
    assert not bool(far.kept.any())
    assert float(far.latents.mean()) == pytest.approx(60, abs=0.1)


def test_a_draft_is_kept_by_the_ratio_of_densities():
    found = judge(law(0.0), law(1.0), torch.Generator().manual_seed(0), Cspd("d", slack=1.0))
    assert float(found.kept.double().mean()) == pytest.approx(np.exp(-0.5), abs=0.03)
    slack = judge(law(0.0), law(1.0), torch.Generator().manual_seed(0), Cspd("d", slack=42.0))
    assert float(slack.kept.double().mean()) > 0.99
    wider = judge(law(0.0), law(0.0, widths=-1.0), torch.Generator().manual_seed(0), Cspd("d"))
    assert float(wider.kept.double().mean()) == pytest.approx(np.exp(-1), abs=0.03)


def test_rejected_latents_come_from_what_the_target_has_more():
    found = judge(law(0.0), law(1.0), torch.Generator().manual_seed(0), Cspd("d", slack=1.0, tries=1000))
    instead = found.latents[~found.kept]
    assert float(instead.min()) > 0.5  # the densities cross there
    x = np.linspace(0.5, 8, 4000)
    more = np.exp(-((x - 1) ** 2) / 2) - np.exp(-(x**2) / 2)
    assert float(instead.mean()) == pytest.approx((x * more).sum() / more.sum(), abs=0.06)
