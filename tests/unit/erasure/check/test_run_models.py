"""The check of two models of the reference world: equal ones differ nowhere, and a destroyed one never passes."""

import json
import math

import numpy as np
import pytest
import torch
from helpers.erased import written

from evalkit.erasure.check import Look, check_eraser
from evalkit.erasure.check.arms import changed, destroyed, erased_path, moved_at_random, network_of
from evalkit.erasure.check.forcing import go_on, likelihood
from evalkit.erasure.training.spec import FACTS
from evalkit.errors import EvalkitError
from evalkit.generators.base import Request
from evalkit.generators.registry import load_generator
from evalkit.generators.sampling import Sampler
from evalkit.jobs.options import RunOptions
from evalkit.weights.find import find_weights

LOOK = Look("world", distances=False)
OWN = "world_ar.safetensors"


def options(out, **more):
    return RunOptions(out=out, device="cpu", limit=2, batch_size=8, **more)


@pytest.fixture(scope="module")
def same(tmp_path_factory):
    """The base against itself."""
    folder = tmp_path_factory.mktemp("models")
    erased, pairs = find_weights(OWN), written(folder, 4)
    return check_eraser(
        "world-ar",
        erased,
        pairs,
        "dog",
        samples=1,
        guidance=1.0,
        tries=2,
        search=20,
        look=LOOK,
        options=options(folder / "same"),
    )


@pytest.fixture(scope="module")
def base():
    made = load_generator("world-ar", device="cpu")
    made.rows = 4
    return made


def test_equal_models_have_no_discordant_pair_and_nothing_is_erased(same):
    told = same.record["erasure"]
    assert [(each["pairs"]["lost"], each["pairs"]["gained"]) for each in told["sets"].values()] == [(0, 0)] * len(
        told["sets"]
    )
    assert told["verdict"]["word"] == "not erased"
    assert told["score"] == 0
    rows = same.samples.to_pylist()
    assert all(row["seen_base"] == row["seen_erased"] for row in rows)
    assert all(row["kl"] is None or abs(row["kl"]) < 1e-12 for row in rows)


def test_other_seeds_give_other_images(same):
    rows = same.samples.to_pylist()
    assert any(row["seen_base"] != row["seen_other_seeds"] for row in rows)


def test_further_tries_are_a_curve_that_never_falls(same):
    curve = same.record["erasure"]["attack"]
    assert [each["tries"] for each in curve] == [1, 2]
    assert [each["erased"]["value"] for each in curve] == sorted(each["erased"]["value"] for each in curve)
    assert all(each["base"]["value"] == each["erased"]["value"] for each in curve)


def test_the_destroyed_control_shows_no_concept_and_keeps_nothing(same):
    control = same.record["erasure"]["controls"]["collapse"]
    assert control["erasure_efficacy"] == 1
    assert control["retention_far"] < 0.5
    assert control["score"] < 0.1


def test_codes_give_prefixes_and_likelihoods(same):
    told = same.record["erasure"]
    assert [each["share"] for each in told["prefixes"]] == [5, 10, 25, 50]
    assert told["vector"]["utility_kept"] == 1
    with np.load(same.path / "statistics" / "check.npz") as held:
        assert held["kl_sum"].shape == (64,)


def test_equal_models_keep_their_probe_score_and_lie_within_the_noise_floor(same):
    told = same.record["erasure"]
    assert told["probe"][0]["task"] == "all tasks"
    assert all(each["base"]["value"] == each["erased"]["value"] for each in told["probe"])
    rows = same.samples.to_pylist()
    assert {row["probe_base"] for row in rows if row["subset"] in ("near", "far")} <= {0.0, 1.0}
    assert all(row["probe_base"] is None for row in rows if row["subset"] not in ("near", "far"))


def test_scores_that_need_weights_which_are_not_here_say_so(same):
    (row,) = [row for row in same.results if row["metric"] == "clipscore"]
    assert row["status"] == "unavailable"
    assert "EVALKIT_WEIGHTS" in row["reason"]


def test_a_search_states_its_budget_and_never_lowers_the_share(same):
    told = same.record["erasure"]["search"]
    assert told["budget"] == 20
    assert told["after"]["value"] >= told["before"]["value"]
    found = [row for row in same.samples.to_pylist() if row["found"]]
    assert len(found) == told["prompts"]
    assert all(row["subset"] == "direct" for row in found)


def test_only_its_own_method_bears_the_name_of_unlearndiffatk_s_attack(same):
    (row,) = [row for row in same.results if row["metric"] == "unlearndiffatk_asr"]
    assert row["status"] == "unavailable"
    assert {"prefix_success", "search_success"} <= {row["metric"] for row in same.results if row["status"] == "ok"}


def test_weights_of_another_architecture_are_refused_in_one_sentence(same, tmp_path):
    with pytest.raises(EvalkitError) as caught:
        check_eraser(
            "world-ar", find_weights("world_ar_draft.safetensors"), same.path.parent / "dog.jsonl", "dog",
            look=LOOK, options=options(tmp_path / "run"),
        )  # fmt: skip
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run" / "results.json").exists()


def test_a_prompt_that_the_base_does_not_take_is_refused(tmp_path):
    path = written(tmp_path, 2)
    line = json.loads(path.read_text().splitlines()[0])
    path.write_text(json.dumps({**line, "target": "a photo of a cathedral dog"}) + "\n")
    with pytest.raises(EvalkitError, match="cathedral"):
        check_eraser("world-ar", find_weights(OWN), path, "dog", look=LOOK, options=options(tmp_path / "run"))


def test_a_missing_classifier_is_said_in_one_sentence(same, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(EvalkitError) as caught:
        check_eraser(
            "world-ar", find_weights(OWN), same.path.parent / "dog.jsonl", "dog",
            look=Look("hf:nowhere/at-all"), options=options(tmp_path / "run"),
        )  # fmt: skip
    assert "\n" not in str(caught.value)


def test_an_erased_model_is_named_as_file_folder_or_pair(tmp_path):
    folder = tmp_path / "eraser"
    folder.mkdir()
    (folder / "weights.safetensors").write_bytes(b"")
    (folder / FACTS).write_text(json.dumps({"weights": "weights.safetensors"}))
    inside = str(folder / "weights.safetensors")
    assert erased_path(str(folder), "world-ar") == inside
    assert erased_path(f"world-ar={folder}", "world-ar") == inside
    with pytest.raises(EvalkitError, match="world-ar-draft"):
        erased_path(f"world-ar-draft={inside}", "world-ar")


def test_a_random_change_has_the_norm_of_the_erasers_change_in_the_same_tensors(base):
    erased = destroyed(base, 1)
    norms = changed(base, erased)
    moved = moved_at_random(base, norms, 2)
    again = changed(base, moved)
    assert again.keys() == norms.keys()
    assert all(again[name] == pytest.approx(norm, rel=1e-3) for name, norm in norms.items())
    assert changed(base, base) == {}
    assert network_of(base) is not network_of(moved)


def test_a_forced_prefix_is_kept_and_the_rest_follows_the_same_numbers(base):
    asked = [Request(f"{i}", "a photo of a dog", seed=i, sampler=Sampler()) for i in range(4)]
    codes = base.sample_tokens(asked)
    assert torch.equal(go_on(base, asked, codes, 16).codes, codes)
    other = torch.flip(codes, (0,))
    forced = go_on(base, asked, other, 16).codes
    assert torch.equal(forced[:, :16], other[:, :16])
    assert base.logits_processors == []


def test_a_divergence_is_zero_of_itself_and_positive_otherwise(base):
    asked = [Request(f"{i}", "a photo of a dog", seed=i, sampler=Sampler()) for i in range(4)]
    codes = base.sample_tokens(asked)
    own, other = likelihood(base, base, asked, codes), likelihood(base, destroyed(base, 1), asked, codes)
    assert float(own.kl.abs().max()) < 1e-12
    assert float(other.kl.min()) >= -1e-9
    assert math.isfinite(float(other.erased.mean()))
    assert float(other.erased.mean()) > float(other.base.mean())
