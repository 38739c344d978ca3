"""The decoder probe tells kinds of decoders apart on unseen generators, is calibrated, and says what it does not know."""

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from scipy.ndimage import gaussian_filter

from evalkit.errors import EvalkitError
from evalkit.pages.curves import curves
from evalkit.tasks.probe.decoder.classifier import train
from evalkit.tasks.probe.decoder.equal import Equaliser, equaliser_for
from evalkit.tasks.probe.decoder.features import PERIODS, grid_traces, spectral, spectrum
from evalkit.tasks.probe.decoder.page import decoder_page
from evalkit.tasks.probe.decoder.probe import ask_probe, read_probe, train_probe, write_probe


def smooth(rng, sigma, side=96):
    field = np.stack([gaussian_filter(rng.normal(size=(side, side)), sigma) for _ in range(3)], -1)
    return np.uint8(np.clip(127 + 60 * field / field.std(), 0, 255))


def folder_of(path, sigmas, n, seed, kind="smooth"):
    """`n` images of each generator: fields that are smooth at `sigma` px, with a grid of 4 px in the kind "grid"."""
    rng = np.random.default_rng(seed)
    for number, sigma in enumerate(sigmas):
        home = path / f"g{number}"
        home.mkdir(parents=True)
        for i in range(n):
            image = smooth(rng, sigma)
            if kind == "grid":
                image = np.kron(image[::4, ::4], np.ones((4, 4, 1), np.uint8))
            Image.fromarray(image).save(home / f"{i}.png")
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    root = tmp_path_factory.mktemp("decoder")
    folder_of(root / "smooth", (1.5, 2.0, 2.5), 12, 0)
    folder_of(root / "grid", (1.5, 2.0, 2.5), 12, 1, "grid")
    return root, train_probe(root / "smooth", root / "grid")


def test_kinds_are_told_apart_on_generators_that_were_held_out(trained):
    _, probe = trained
    assert probe.apart
    assert probe.accuracy.value > 0.9
    assert 0 <= probe.accuracy.low <= probe.accuracy.value <= probe.accuracy.high <= 1
    assert probe.cautions == []


def test_a_new_generator_of_a_kind_gets_its_name(trained, tmp_path):
    _, probe = trained
    for kind, right in (("smooth", lambda p: p < 0.3), ("grid", lambda p: p > 0.7)):
        answer = ask_probe(probe, folder_of(tmp_path / kind, (1.8,), 12, 5, kind))
        assert right(answer.share.value)
        assert answer.outside.value < 0.3


def test_images_unlike_both_kinds_are_outside(trained, tmp_path):
    rng = np.random.default_rng(9)
    for i in range(12):
        Image.fromarray(rng.integers(0, 256, (96, 96, 3), dtype=np.uint8)).save(tmp_path / f"{i}.png")
    assert ask_probe(trained[1], tmp_path).outside.value > 0.9


def test_kept_probes_answer_alike(trained, tmp_path):
    root, probe = trained
    write_probe(tmp_path / "p.npz", probe)
    again = read_probe(tmp_path / "p.npz")
    assert ask_probe(again, root / "grid" / "g0").rows == ask_probe(probe, root / "grid" / "g0").rows
    assert (again.names, again.accuracy, again.equaliser) == (probe.names, probe.accuracy, probe.equaliser)
    (tmp_path / "odd.npz").write_bytes(b"no")
    with pytest.raises(EvalkitError, match="no decoder probe"):
        read_probe(tmp_path / "odd.npz")


def test_the_same_kind_twice_is_chance_and_said_to_be_two_models(tmp_path):
    for name, seed in (("a", 0), ("b", 1)):
        folder_of(tmp_path / name, (2.0,), 20, seed)
    probe = train_probe(tmp_path / "a" / "g0", tmp_path / "b" / "g0")
    assert probe.accuracy.value == pytest.approx(0.5, abs=0.2)
    assert "two models" in probe.cautions[0]


def test_probabilities_are_calibrated_on_held_out_images():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 400)
    features = rng.normal(size=(800, 5)) + labels[:, None] * np.array([1.0, 0, 0, 0, 0])
    _, held = train(features, labels, [""] * 800)
    assert held.probability.mean() == pytest.approx(0.5, abs=0.02)
    for low, high in ((0.1, 0.4), (0.4, 0.6), (0.6, 0.9)):
        chosen = (held.probability > low) & (held.probability < high)
        assert labels[chosen].mean() == pytest.approx(held.probability[chosen].mean(), abs=0.08)
    assert held.outside.mean() < 0.05


def test_up_sampling_leaves_a_trace_at_its_period():
    image = smooth(np.random.default_rng(0), 1.5, 240)
    up = np.kron(image[::4, ::4], np.ones((4, 4, 1), np.uint8))
    assert grid_traces(up)[PERIODS.index(4)] > 10 * grid_traces(image)[PERIODS.index(4)]


def test_features_are_of_one_length_and_sees_frequencies():
    rng = np.random.default_rng(0)
    fine, coarse = (spectrum(smooth(rng, sigma)) for sigma in (0.5, 4))
    assert fine[-10:].mean() > coarse[-10:].mean() + 1
    assert spectral(smooth(rng, 1)).shape == spectral(smooth(rng, 2, 64)).shape


def test_everything_is_scaled_down_and_compressed_alike():
    equal = equaliser_for([256, 1024])
    assert equal.side == 192
    assert equal(np.zeros((256, 300, 3), np.uint8)).shape == (192, 192, 3)
    with pytest.raises(EvalkitError, match="too small"):
        Equaliser(192)(np.zeros((200, 200, 3), np.uint8))
    with pytest.raises(EvalkitError, match="side of 40 px"):
        equaliser_for([40])


def test_too_few_images_are_refused(tmp_path):
    folder_of(tmp_path / "a", (1.0,), 9, 0)
    with pytest.raises(EvalkitError, match="fewer than ten"):
        train_probe(tmp_path / "a", tmp_path / "a")


def test_the_command_trains_asks_and_draws(trained, tmp_path):
    from evalkit.cli.probe import probe as verb

    root, _ = trained
    file, page = str(tmp_path / "p.npz"), tmp_path / "p.html"
    run = CliRunner().invoke(verb, ["decoder", "train", str(root / "smooth"), str(root / "grid"), "--probe", file])
    assert run.exit_code == 0, run.output
    assert "generators that it was not trained on" in run.output
    run = CliRunner().invoke(verb, ["decoder", str(root / "grid"), "--probe", file, "--page", str(page), "--json"])
    assert run.exit_code == 0, run.output
    assert '"class": "grid"' in run.output
    assert page.read_text().count("<polyline") == 6


def test_pages_hold_no_markup_of_folders(trained):
    assert "<b>" not in decoder_page(trained[1], None)
    assert "&lt;b&gt;" in curves(np.arange(3.0), {"<b>": np.arange(3.0)})
