"""The decoder probe tells kinds of decoders apart on unseen generators, is calibrated, and says what it does not know."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from scipy.ndimage import gaussian_filter

from evalkit.cli.probe import probe as verb
from evalkit.errors import EvalkitError
from evalkit.jobs.options import RunOptions
from evalkit.leaderboard import make_leaderboard
from evalkit.provenance.verify import verify_run
from evalkit.tasks.probe.decoder.classifier import train
from evalkit.tasks.probe.decoder.equal import Equaliser, equaliser_for
from evalkit.tasks.probe.decoder.features import PERIODS, grid_traces, spectral, spectrum
from evalkit.tasks.probe.decoder.probe import probe_bytes, probe_file, read_probe
from evalkit.tasks.probe.decoder.run import ask_decoder, train_decoder


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
    train_decoder(root / "smooth", root / "grid", options=RunOptions(out=root / "probe"))
    return root


def asked(trained, folder, out):
    run = ask_decoder(folder, trained / "probe", options=RunOptions(out=out))
    return {row["metric"]: row["value"] for row in run.results}


def test_kinds_are_told_apart_on_generators_that_were_held_out(trained):
    probe = read_probe(trained / "probe")
    assert probe.apart
    assert probe.accuracy.value > 0.9
    assert 0 <= probe.accuracy.low <= probe.accuracy.value <= probe.accuracy.high <= 1
    assert len(probe.cautions) == 1  # six generators are few


def test_a_new_generator_of_a_kind_gets_its_name(trained, tmp_path):
    for kind, right in (("smooth", lambda p: p < 0.3), ("grid", lambda p: p > 0.7)):
        said = asked(trained, folder_of(tmp_path / kind, (1.8,), 12, 5, kind), tmp_path / f"run-{kind}")
        assert right(said["decoder_share"])
        assert said["decoder_outside"] < 0.3


def test_images_unlike_both_kinds_get_no_answer(trained, tmp_path):
    rng = np.random.default_rng(9)
    (tmp_path / "noise").mkdir()
    for i in range(12):
        Image.fromarray(rng.integers(0, 256, (96, 96, 3), dtype=np.uint8)).save(tmp_path / "noise" / f"{i}.png")
    words = ["decoder", str(tmp_path / "noise"), "--probe", str(trained / "probe"), "--out", str(tmp_path / "run")]
    run = CliRunner().invoke(verb, words)
    assert run.exit_code == 1
    assert "gives no answer" in " ".join(run.output.split())
    assert asked(trained, tmp_path / "noise", tmp_path / "run") == {"decoder_share": None, "decoder_outside": 1.0}


def test_a_kept_probe_is_the_same_file_again_and_odd_files_are_refused(trained, tmp_path):
    assert probe_bytes(read_probe(trained / "probe")) == probe_file(trained / "probe").read_bytes()
    (tmp_path / "odd.npz").write_bytes(b"no")
    with pytest.raises(EvalkitError, match="no decoder probe"):
        read_probe(tmp_path / "odd.npz")


def test_the_same_kind_twice_is_chance_and_said_to_be_two_models(tmp_path):
    for name, seed in (("a", 0), ("b", 1)):
        folder_of(tmp_path / name, (2.0,), 20, seed)
    run = train_decoder(tmp_path / "a" / "g0", tmp_path / "b" / "g0", options=RunOptions(out=tmp_path / "run"))
    assert run.results[0]["value"] == pytest.approx(0.5, abs=0.2)
    assert "reaches down to guessing" in run.record["decoder"]["cautions"][0]
    assert "two models" in run.record["decoder"]["cautions"][1]
    assert run.record["decoder"]["names"] == ["g0 (first)", "g0 (second)"]


def test_probes_are_ranked_on_the_same_images_with_generators_drawn_whole(trained, tmp_path):
    train_decoder(trained / "smooth", trained / "grid", options=RunOptions(out=tmp_path / "other", seed=1))
    made = make_leaderboard([trained / "probe", tmp_path / "other"], tmp_path / "board")
    (order,) = (board.order for board in made.boards if board.terms.metric == "decoder_accuracy")
    assert "paired" in order.pairing
    assert {len(set(each.figure.scores.clusters)) for each in order.standings} == {6}


def test_an_image_that_is_too_small_fails_alone(trained, tmp_path):
    folder_of(tmp_path / "new", (1.8,), 12, 5)
    Image.new("RGB", (40, 40)).save(tmp_path / "new" / "g0" / "z.png")
    run = ask_decoder(tmp_path / "new", trained / "probe", options=RunOptions(out=tmp_path / "run"))
    assert [row["id"] for row in run.samples.to_pylist() if row["error"]] == ["g0/z.png"]
    assert run.results[1]["n"] == 12


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
        train_decoder(tmp_path / "a", tmp_path / "a", options=RunOptions(out=tmp_path / "run"))
    assert not (tmp_path / "run" / "record.json").exists()


def test_the_command_trains_asks_and_draws(trained, tmp_path):
    first, second, probe, page = (str(trained / name) for name in ("smooth", "grid", "probe", "probe/report.html"))
    run = CliRunner().invoke(verb, ["decoder", "train", first, second, "--out", probe])
    assert run.exit_code == 0, run.output
    assert "generators that it was not trained on" in " ".join(run.output.split())
    assert Path(page).read_text().count("<polyline") == 4
    out = str(tmp_path / "run")
    run = CliRunner().invoke(verb, ["decoder", second, "--probe", probe, "--out", out, "--json"])
    assert run.exit_code == 0, run.output
    assert '"decoder_share"' in run.output
    assert (tmp_path / "run" / "report.html").read_text().count("<polyline") == 6
    assert verify_run(tmp_path / "run").failures == ()
    assert "--probe RUN" in CliRunner().invoke(verb, ["decoder", second]).output


def test_a_probe_that_was_exchanged_under_a_run_is_refused(trained, tmp_path):
    folder_of(tmp_path / "new", (1.8,), 12, 5)
    asked(trained, tmp_path / "new", tmp_path / "run")
    other = train_decoder(trained / "grid", trained / "smooth", options=RunOptions(out=tmp_path / "other"))
    with pytest.raises(EvalkitError, match="another run"):
        ask_decoder(tmp_path / "new", other.path, options=RunOptions(out=tmp_path / "run"))
