import json

import pytest

import evalkit
from evalkit.jobs.options import RunOptions
from evalkit.jsonio import pretty_json
from evalkit.provenance.verify import verify_run
from evalkit.runs.record import file_digests, with_digest
from evalkit.tasks.score import features
from evalkit.tasks.score.checks import ScoreChecks
from evalkit.tasks.score.task import SCORE


def changed(run, metric, **given):
    """The run read back after a result was changed and the record made to agree."""
    rows = [{**row, **given} if row["metric"] == metric else row for row in run.results]
    (run.path / "results.json").write_bytes(pretty_json(rows))
    record = json.loads((run.path / "record.json").read_bytes())
    files = {**record["files"], **file_digests(run.path, ["results.json"])}
    (run.path / "record.json").write_bytes(pretty_json(with_digest({**record, "files": files})))
    return evalkit.read_run(run.path)


@pytest.mark.parametrize("kept", [2**28, 0])
def test_distances_are_recomputed_from_what_the_run_kept(sets, tmp_path, monkeypatch, kept):
    monkeypatch.setattr(features, "KEPT", kept)
    options = RunOptions(out=tmp_path / "run", device="cpu")
    run = evalkit.score(*sets, metrics=["fd_efflite0", "vendi_efflite0"], options=options)
    assert run.record["statistics"] == ("features" if kept else "moments")
    verdict = verify_run(run.path)
    assert verdict.failures == ()
    step = next(step for step in verdict.steps if step.level == 3)
    assert step.status == "passed"
    assert ("too many to keep" in step.detail) is (not kept)
    false = changed(run, "fd_efflite0", value=run.results[0]["value"] * 1.001)
    (failure,) = ScoreChecks(SCORE).recompute(false, None).failures
    assert "fd_efflite0" in failure.reason


def test_a_changed_interval_or_reason_is_found(sets, tmp_path):
    options = RunOptions(out=tmp_path / "run", device="cpu")
    run = evalkit.score(*sets, metrics=["kid_efflite0"], options=options)
    assert ScoreChecks(SCORE).recompute(changed(run, "kid_efflite0", low=-9.0), None).failures
