"""Set metrics and image-text scores against numbers that the peers' own code gave, with inputs made by rule.

The numbers in data/score_goldens.json come from torch-fidelity 0.4, the PyTorch port of guided-diffusion's evaluator,
clean-fid, prdc, cmmd-pytorch, clipscore, torchmetrics and improved-aesthetic-predictor on inputs of seed 1.
"""

import json
import math
import zlib
from pathlib import Path

import numpy as np
import pytest

from evalkit.metrics.cmmd import cmmd
from evalkit.metrics.frechet import frechet_distance, frechet_distance_of_features
from evalkit.metrics.image_text import (
    clip_scores,
    cosines,
    mean_clip_score_torchmetrics,
    pick_probabilities,
    pick_scores,
    ref_clip_scores,
    reference_scores,
)
from evalkit.metrics.inception_score import inception_score, split_scores
from evalkit.metrics.kernels import GaussianKernel, PolynomialKernel
from evalkit.metrics.kid import kid, subset_pairs, subset_values
from evalkit.metrics.prdc import prdc
from evalkit.metrics.rows import moments_of
from evalkit.metrics.rules import BallRule, SplitRule, SubsetRule
from evalkit.metrics.spatial import x_to_features
from evalkit.metrics.statistics_file import StoredGaussian

SEED = 1
GOLDEN = json.loads((Path(__file__).parent / "data" / "score_goldens.json").read_text(encoding="utf-8"))


def fill(name, shape):
    x = np.random.Generator(np.random.PCG64([zlib.crc32(name.encode()), SEED])).standard_normal(shape, dtype=np.float32)
    return x / np.float32(math.sqrt(math.prod(shape[1:]))) if len(shape) > 1 else np.float32(0.05) * x


def features(rule):
    n, d = rule["n"], rule["d"]
    x = fill(rule["name"], (n, d)) * np.float32(math.sqrt(d))
    if rule.get("mix", True):
        x[:, 1:] += np.float32(0.5) * x.copy()[:, :-1]
    ramp = np.arange(d, dtype=np.float32) / np.float32(d)
    return x * np.float32(rule["scale"]) + np.float32(rule["shift"]) * ramp


def cases(name):
    return pytest.mark.parametrize("row", GOLDEN[name], ids=lambda row: row["case"])


@cases("frechet")
def test_frechet_distance_is_the_peers(row):
    x, y = features(row["a"]), features(row["b"])
    near = (
        {"abs": 1e-5} if row["case"].endswith("identical") else {"rel": 1e-5 if row["case"] == "large_mean" else 1e-6}
    )
    assert frechet_distance_of_features(x, y) == pytest.approx(row["value"], **near)
    assert frechet_distance(moments_of(x), moments_of(y)) == pytest.approx(row["value"], **near)


def test_frechet_distance_of_stored_diagonal_gaussians_has_its_closed_form():
    j = np.arange(8)
    means = [fill(f"analytic/mu{i}", (8,)).astype(np.float64) for i in (1, 2)]
    one, two = (StoredGaussian(m, np.diag(s)) for m, s in zip(means, (1 + j / 4, 2 - j / 8), strict=True))
    assert frechet_distance(one, two) == pytest.approx(GOLDEN["frechet_analytic"], abs=1e-9)


@cases("kid")
def test_kid_is_torch_fidelitys(row):
    x, y = features(row["a"]), features(row["b"] or row["a"])
    s = row["settings"]
    polynomial = PolynomialKernel(s["kernel_poly_degree"], s["kernel_poly_gamma"], s["kernel_poly_coef0"])
    kernel = polynomial if s["kernel"] == "poly" else GaussianKernel(s["kernel_rbf_sigma"])
    rule = SubsetRule(s["subsets"], s["subset_size"], seed=s["rng_seed"], kernel=kernel)
    i, j = next(iter(subset_pairs(len(x), len(y), rule)))
    assert (i[:8].tolist(), j[:8].tolist()) == (row["first_a"], row["first_b"])
    values = subset_values(x, y, rule)
    assert values.mean() == pytest.approx(row["mean"], rel=1e-9)
    assert values.std() == pytest.approx(row["std"], abs=1e-9)
    assert kid(x, y, rule).value == pytest.approx(row["mean"], rel=1e-9)


def test_kid_by_the_subsets_of_clean_fid():
    row = next(row for row in GOLDEN["kid"] if row["case"] == "small")
    rule = SubsetRule(fit="whole", drawn="reference first", seed=SEED)
    assert kid(features(row["a"]), features(row["b"]), rule).value == pytest.approx(GOLDEN["kid_cleanfid"], rel=1e-5)


@cases("isc")
def test_inception_score_is_torch_fidelitys(row):
    options = row["kwargs"]
    shuffle = options.get("rng_seed", 2020) if options.get("shuffle", True) else None
    logits, rule = features(row["logits"]), SplitRule(options.get("splits", 10), shuffle=shuffle)
    scores = split_scores(logits, rule)
    assert scores.mean() == pytest.approx(row["mean"], rel=1e-9)
    assert scores.std() == pytest.approx(row["std"], abs=1e-9)
    assert inception_score(logits, rule).value == pytest.approx(row["mean"], rel=1e-9)


@pytest.mark.parametrize("chunk", [5000, 50, 40, 150])
def test_inception_score_in_chunks_is_guided_diffusions(chunk):
    rule = {"name": "adm_is/acts", "n": 150, "d": 2048, "scale": 3.0, "shift": 0, "mix": False}
    logits = features(rule) @ fill("fc.weight", (1008, 2048)).T
    found = inception_score(logits, SplitRule(chunk=chunk, shuffle=None)).value
    assert found == pytest.approx(GOLDEN["adm_is"][str(chunk)], rel=1e-6)


@cases("pr")
def test_precision_recall_density_coverage_are_the_peers(row):
    images, reference = features(row["sample"]), features(row["ref"])
    for rule, peer in (
        (BallRule(), "adm_port_k3"),
        (BallRule(5), "torch_fidelity_k5_part"),
        (BallRule(5, False), "prdc_k5"),
    ):
        found = prdc(images, reference, rule)
        for name in set(row[peer]) - {"f_score"}:
            assert found[name].value == pytest.approx(row[peer][name], abs=1e-6), (peer, name)


@cases("cmmd")
def test_cmmd_is_googles(row):
    x, y = features(row["a"]), features(row["b"] or row["a"])
    if row["unit"]:
        x, y = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (x, y))
    assert cmmd(x, y).value == pytest.approx(row["value"], rel=1e-6, abs=1e-9)


def test_sfid_takes_seven_channels_with_the_channels_last():
    sets = []
    for which, shift in (("a", 0), ("b", 0.3)):
        maps = fill(f"sfid/{which}", (24, 192, 17, 17)) * np.float32(math.sqrt(192 * 289)) + np.float32(shift)
        sets.append(x_to_features(np.maximum(maps, 0)))
        assert sets[-1].shape == (24, 2023)
        assert sets[-1][0, :8] == pytest.approx(GOLDEN["sfid"]["first8"][which == "b"], rel=1e-6)
    assert frechet_distance_of_features(*sets) == pytest.approx(GOLDEN["sfid"]["value"], rel=1e-6)


@pytest.fixture(scope="module")
def embedded():
    images = fill("clip/img", (24, 512))
    texts = fill("clip/txt", (24, 512)) + np.float32(0.5) * images
    texts[3], texts[5] = -images[3], images[5]
    return images, texts


def test_clip_scores_in_both_forms_are_the_peers(embedded):
    images, texts = embedded
    peer = GOLDEN["image_text"]["clipscore_original"]
    scores = clip_scores(images, texts)
    assert scores == pytest.approx(peer["per"], rel=1e-5)
    references = [fill(f"clip/ref{i}", (1 + i % 3, 512)) + np.float32(0.4) * texts[i] for i in range(24)]
    by_reference = reference_scores(texts, references)
    assert by_reference == pytest.approx(peer["ref_only"], rel=1e-5)
    assert ref_clip_scores(scores, by_reference) == pytest.approx(peer["ref_clipscore"], rel=1e-5)
    other = GOLDEN["image_text"]["clipscore_torchmetrics"]
    assert 100 * cosines(images, texts) == pytest.approx(other["per_sample_raw"], rel=1e-5)
    assert mean_clip_score_torchmetrics(images, texts) == pytest.approx(other["mean_then_clamp"], rel=1e-5)
    assert mean_clip_score_torchmetrics(images[3:4], texts[3:4]) == other["only_negative_pair"]


def test_hps_and_pick_score_are_the_peers(embedded):
    images, texts = embedded
    assert cosines(images, texts) == pytest.approx(GOLDEN["image_text"]["hpsv2"]["score"], rel=1e-5)
    peer = GOLDEN["image_text"]["pickscore"]
    one_prompt = np.repeat(texts[:1], len(images), 0)
    scores = pick_scores(images, one_prompt, peer["logit_scale"])
    assert scores == pytest.approx(peer["scores"], rel=1e-5)
    assert pick_probabilities(scores[:4]) == pytest.approx(peer["probs_first4"], rel=1e-5)
