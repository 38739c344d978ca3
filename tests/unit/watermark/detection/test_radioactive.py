"""Radioactivity: a weak lean of all outputs is found; unmarked ones are called at alpha at most, also where they share codes."""

import numpy as np
import pytest

from evalkit.errors import EvalkitError
from evalkit.jobs.options import RunOptions
from evalkit.watermark.detection.radioactive import radioactive
from evalkit.watermark.keys import Key
from evalkit.watermark.methods import MarkSpec, mark_for


def outputs(toy, folder, green=None, lean=0.0, n=40):
    """Images of codes of a skewed law; of `lean` of the red ones green ones are drawn instead."""
    rng, folder = np.random.default_rng(7), folder
    folder.mkdir()
    law = 1 / np.arange(1, 513) ** 0.7
    for number in range(n):
        codes = rng.choice(512, 64, p=law / law.sum())
        if green is not None:
            again = (~green[codes]) & (rng.random(64) < lean)
            weights = law * green
            codes = np.where(again, rng.choice(512, 64, p=weights / weights.sum()), codes)
        (folder / f"{number}.png").write_bytes(toy.saved(toy.painted(codes)))
    return folder


def looked(toy, folder, key, **given):
    return radioactive(
        folder, key, toy.Blocks(), cache=False, options=RunOptions(out=folder.parent / f"{folder.name}.run"), **given
    )


def test_a_model_that_favours_green_codes_a_little_is_found(toy, tmp_path):
    key = Key(bytes(range(32)))
    green = mark_for(MarkSpec("lbw"), key, toy.Blocks()).green_codes(0)
    found = looked(toy, outputs(toy, tmp_path / "trained", green, 0.25), key, decoys=299)
    assert found.found
    assert found.p == pytest.approx(1 / 300)
    assert found.mean > 0.5
    assert "carry a trace" in found.line()
    single = found.run.samples["log10_p"].to_numpy()
    assert (single < -3).mean() < 0.3  # no single output would have told


def test_outputs_of_another_model_are_called_seldom(toy, tmp_path):
    folder = outputs(toy, tmp_path / "plain")
    p = []
    for number in range(12):
        found = radioactive(
            folder,
            Key(bytes([number]) + bytes(31)),
            toy.Blocks(),
            decoys=99,
            alpha=0.05,
            cache=tmp_path / "codes.sqlite",
            options=RunOptions(out=tmp_path / f"r{number}", keep="none"),
        )
        p.append(found.p)
    assert "No trace" in found.line()
    assert sum(each <= 0.05 for each in p) <= 3
    assert 0.2 < np.mean(p) < 0.8


@pytest.mark.parametrize(
    ("given", "words"), [({"alpha": 0.001, "decoys": 99}, "--decoys 1000"), ({"decoys": 9999}, "9,999")]
)
def test_decoys_that_cannot_tell_are_refused(toy, tmp_path, given, words):
    with pytest.raises(EvalkitError, match=words):
        looked(toy, outputs(toy, tmp_path / "plain", n=1), Key(bytes(range(32))), **given)
