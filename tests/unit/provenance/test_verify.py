"""Levels: what honest runs reach, and where those fail that lie with consistent digests."""

import base64
import json
import os

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from PIL import Image

from evalkit.errors import BadImage, EvalkitError
from evalkit.jobs.checks import CHECKS, Failure, How, chosen
from evalkit.jobs.task import TASKS
from evalkit.jsonio import canonical_json, pretty_json
from evalkit.provenance.audit import level_seed, missed
from evalkit.provenance.dsse import parse, sign
from evalkit.provenance.sign import sign_run
from evalkit.provenance.verdict import Step, Verdict
from evalkit.provenance.verify import Depth, verify_run


def step(verdict, level):
    return verdict.steps[level]


def rewritten(table):
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    return sink.getvalue().to_pybytes()


def test_a_signed_generation_reaches_level_5_and_its_images_are_made_again_to_the_pixel(runs, key):
    sign_run(runs / "generated", key)
    verdict = verify_run(runs / "generated", Depth(key=key.public_key(), regenerate=2))
    assert (verdict.level, verdict.failures, verdict.hint) == (5, (), None)
    assert [each.status for each in verdict.steps] == [*["passed"] * 4, "not needed", "passed"]
    assert step(verdict, 5).detail.startswith("2 samples made again are the same (drawn from 3 by seed ")
    assert step(verdict, 5).detail.endswith("fraud is missed in 10% with chance 0.33, in 50% with chance 0)")


def test_a_signed_tokenizer_run_reaches_level_5(runs, key):
    sign_run(runs / "scored", key)
    verdict = verify_run(runs / "scored", Depth(key=key.public_key(), rescore=2, regenerate=2))
    assert (verdict.level, verdict.failures) == (5, ())


def test_attacked_images_reach_level_5_where_the_originals_are_given(runs, key):
    sign_run(runs / "attacked", key)
    depth = Depth(key=key.public_key(), regenerate=4)
    lower = verify_run(runs / "attacked", depth)
    assert (lower.level, lower.failures) == (3, ())
    assert "--data FOLDER" in lower.hint
    how = How(data=str(runs / "generated" / "images"))
    assert verify_run(runs / "attacked", Depth(key=key.public_key(), regenerate=4, how=how)).level == 5


def test_without_a_signature_the_level_is_1_and_the_hint_says_how_to_raise_it(runs):
    verdict = verify_run(runs / "scored")
    assert (verdict.level, verdict.failures) == (1, ())
    assert step(verdict, 3).status == "passed"
    assert "evalkit sign" in verdict.hint


def test_a_signature_alone_says_nothing_until_the_signer_is_expected(runs, key, other_key):
    sign_run(runs / "generated", key)
    assert verify_run(runs / "generated").level == 1
    assert "--public-key" in verify_run(runs / "generated").hint
    assert verify_run(runs / "generated", Depth(key=key.public_key())).level == 3
    other = verify_run(runs / "generated", Depth(key=other_key.public_key()))
    assert [failure.file for failure in other.failures] == ["attestation.json"]


def test_an_unsigned_run_fails_where_a_signer_is_expected(runs, key):
    verdict = verify_run(runs / "generated", Depth(key=key.public_key()))
    assert [failure.file for failure in verdict.failures] == ["attestation.json"]


@pytest.mark.parametrize("field", ["value", "low", "high", "n", "unit"])
def test_a_result_that_does_not_follow_from_the_rows_is_found_even_when_signed(field, runs, key, forge):
    def better(data):
        rows = json.loads(data)
        row = next(each for each in rows if each["metric"] == "psnr")
        row[field] = row[field] + 1 if isinstance(row[field], int | float) else "decibel"
        return pretty_json(rows)

    forge(runs / "scored", results__json=better)
    sign_run(runs / "scored", key)
    verdict = verify_run(runs / "scored", Depth(key=key.public_key()))
    assert verdict.level == 2
    (failure,) = verdict.failures
    assert failure.file == "results.json"
    assert f"psnr of images (evalkit-1): {field} is" in failure.reason


@pytest.mark.parametrize("metric", ["ssim", "fd_efflite0"])
def test_a_missing_or_doubled_result_is_found(metric, runs, forge):
    forge(
        runs / "scored", results__json=lambda data: pretty_json([r for r in json.loads(data) if r["metric"] != metric])
    )
    assert f"{metric} of images (evalkit-1) is missing" in str(verify_run(runs / "scored").failures)
    forge(runs / "scored", results__json=lambda data: pretty_json(json.loads(data) + json.loads(data)[:1]))
    assert "appears twice" in str(verify_run(runs / "scored").failures)


def test_a_changed_row_shows_in_the_results(runs, forge):
    def better(data):
        table = pq.read_table(pa.BufferReader(data))
        at = table.schema.get_field_index("psnr")
        return rewritten(table.set_column(at, "psnr", pc.add(table["psnr"], 3.0)))

    forge(runs / "scored", samples__parquet=better)
    verdict = verify_run(runs / "scored")
    assert step(verdict, 3).status == "failed"
    assert "psnr" in verdict.failures[0].reason


def test_a_better_image_than_the_model_made_shows_when_it_is_scored_again(runs, forge):
    folder = runs / "scored"
    before = (folder / "images" / "00000000-evalkit-1-original.png").read_bytes()
    target = "00000000-evalkit-1-reconstruction__png"
    forge(folder, **{f"images/{target}": lambda data: before})
    verdict = verify_run(folder, Depth(rescore=3))
    assert step(verdict, 3).status == "passed"
    assert {failure.file for failure in step(verdict, 4).failures} == {f"images/{target.replace('__', '.')}"}


def test_rows_of_another_model_show_when_samples_are_made_again(runs, forge):
    def other(record):
        said = json.loads(record)
        said["model"]["name"] = said["plan"]["models"]["model"]["name"] = "jpeg-q74"
        said["model"]["card"] = {}
        return said

    folder = runs / "scored"
    said = other((folder / "record.json").read_bytes())
    (folder / "record.json").write_bytes(pretty_json(said))
    (folder / "plan.json").write_bytes(canonical_json(said["plan"]))
    forge(folder, plan__json=lambda data: data)
    verdict = verify_run(folder, Depth(regenerate=1))
    assert step(verdict, 3).status == "passed"
    assert {failure.file for failure in step(verdict, 5).failures} == {"samples.parquet"}


def test_a_image_that_the_model_did_not_make_shows_when_it_is_made_again(runs, forge, tmp_path):
    folder = runs / "generated"

    def retouched(data):
        with Image.open(folder / "images" / "0000001.png") as image:
            pixels = np.array(image)
        pixels[0, 0] ^= 1
        Image.fromarray(pixels).save(tmp_path / "new.png")
        return (tmp_path / "new.png").read_bytes()

    forge(folder, **{"images/0000001__png": retouched})
    assert {failure.file for failure in verify_run(folder).failures} == {"images/0000001.png"}
    digest = json.loads((folder / "record.json").read_bytes())["files"]["images/0000001.png"]

    def row(data):
        table = pq.read_table(pa.BufferReader(data))
        values = table["sha256"].to_pylist()
        values[1] = digest
        at = table.schema.get_field_index("sha256")
        return rewritten(table.set_column(at, "sha256", pa.array(values)))

    def line(data):
        rows = [json.loads(each) for each in data.decode().split("\n") if each]
        rows[1]["sha256"] = digest
        return "".join(json.dumps(each) + "\n" for each in rows).encode()

    forge(folder, samples__parquet=row)
    assert {failure.file for failure in verify_run(folder).failures} == {"manifest.jsonl"}
    forge(folder, manifest__jsonl=line)
    verdict = verify_run(folder, Depth(regenerate=3))
    assert step(verdict, 3).status == "passed"
    (failure,) = verdict.failures
    assert (failure.file, step(verdict, 5).status) == ("images/0000001.png", "failed")
    assert "1 of 4096 pixels differ" in failure.reason


def test_an_attack_that_was_not_made_shows_when_it_is_made_again(runs, forge):
    folder = runs / "attacked"
    table = pq.read_table(folder / "samples.parquet")
    seeds = pa.array([12345] * table.num_rows, pa.int64())
    column = table.schema.get_field_index("seed")
    changed = table.set_column(column, "seed", seeds)
    manifest = b"".join(canonical_json(row) + b"\n" for row in changed.to_pylist())
    forge(folder, samples__parquet=lambda _: rewritten(changed), manifest__jsonl=lambda _: manifest)
    how = How(data=str(runs / "generated" / "images"))
    verdict = verify_run(folder, Depth(regenerate=99, how=how))
    assert step(verdict, 3).status == "passed"
    names = {failure.file for failure in verdict.failures}  # a JPEG draws no random number
    assert names == set(table.filter(pc.equal(table["attack"], "noise:0.02"))["path"].to_pylist())
    assert "attacked again with seed 12345" in verdict.failures[0].reason
    forge(folder, manifest__jsonl=lambda data: data.replace(b"12345", b"12346", 1))
    assert [each.file for each in verify_run(folder).failures] == ["manifest.jsonl"]


def test_attacks_of_an_earlier_command_in_the_same_folder_are_covered_too(runs):
    from evalkit.watermark.attacks.run import attack_folder
    from evalkit.watermark.attacks.spelling import read_attacks

    attack_folder(runs / "generated" / "images", read_attacks(["flip"]), runs / "attacked", threads=1)
    verdict = verify_run(runs / "attacked")
    assert (verdict.level, verdict.failures) == (1, ())
    image = sorted((runs / "attacked").glob("jpeg-75/*.jpg"))[0]
    image.unlink()
    assert [each.file for each in verify_run(runs / "attacked").failures] == [f"jpeg-75/{image.name}"]


def test_a_task_without_checks_says_what_cannot_be_reached(runs, forge, key):
    record = json.loads((runs / "generated" / "record.json").read_bytes())
    record["task"] = record["plan"]["task"] = "divination"
    (runs / "generated" / "record.json").write_bytes(pretty_json(record))
    (runs / "generated" / "plan.json").write_bytes(canonical_json(record["plan"]))
    forge(runs / "generated", plan__json=lambda data: data)
    sign_run(runs / "generated", key)
    verdict = verify_run(runs / "generated", Depth(key=key.public_key(), rescore=1, regenerate=1))
    assert (verdict.level, verdict.failures) == (2, ())
    assert "divination" in step(verdict, 3).detail


def test_a_program_that_made_images_is_not_started_by_a_verification(runs, forge):
    record = json.loads((runs / "generated" / "record.json").read_bytes())
    record["model"]["name"] = record["plan"]["models"]["model"]["name"] = "command:touch owned"
    (runs / "generated" / "record.json").write_bytes(pretty_json(record))
    (runs / "generated" / "plan.json").write_bytes(canonical_json(record["plan"]))
    forge(runs / "generated", plan__json=lambda data: data)
    verdict = verify_run(runs / "generated", Depth(regenerate=1))
    assert verdict.failures == ()
    assert "no reason to run one" in step(verdict, 5).detail


@pytest.mark.parametrize(
    ("kind", "where", "value", "said"),
    [
        ("generated", ("model", "deterministic"), False, "does not promise"),
        ("generated", ("plan", "parameters", "processors"), [{"id": "x"}], "secret key"),
        ("generated", ("plan", "models", "model", "settings", "compile"), True, "compiled"),
        ("scored", ("data", "spec"), "hf:some/where", "--data hf:some/where"),
        ("scored", ("data", "spec"), "/no/such/folder", "cannot be repeated here"),
    ],
)
def test_what_cannot_be_made_again_here_is_no_failure(kind, where, value, said, runs, forge):
    record = json.loads((runs / kind / "record.json").read_bytes())
    part = record
    for name in where[:-1]:
        part = part[name]
    part[where[-1]] = value
    (runs / kind / "record.json").write_bytes(pretty_json(record))
    (runs / kind / "plan.json").write_bytes(canonical_json(record["plan"]))
    forge(runs / kind, plan__json=lambda data: data)
    verdict = verify_run(runs / kind, Depth(regenerate=1))
    assert verdict.failures == ()
    assert step(verdict, 5).status == "not reached"
    assert said in step(verdict, 5).detail


def test_images_from_another_machine_may_differ(runs, forge, tmp_path):
    folder = runs / "generated"
    record = json.loads((folder / "record.json").read_bytes())
    record["environment"]["packages"]["torch"] = "0.1"
    record["seed"] = 5
    (folder / "record.json").write_bytes(pretty_json(record))

    def other_seed(data):
        table = pq.read_table(pa.BufferReader(data))
        at = table.schema.get_field_index("seed")
        return rewritten(table.set_column(at, "seed", pc.add(table["seed"], 1)))

    forge(folder, samples__parquet=other_seed)
    verdict = verify_run(folder, Depth(recompute=False, regenerate=3))
    assert verdict.failures == ()
    assert "made with torch 0.1" in step(verdict, 5).detail


@pytest.mark.parametrize("missing", ["plan.json", "results.json", "samples.parquet"])
def test_a_run_without_one_of_its_files_fails_at_level_0(missing, runs):
    (runs / "scored" / missing).unlink()
    verdict = verify_run(runs / "scored")
    assert verdict.level < 1
    assert missing in {failure.file for failure in verdict.failures}


def test_where_nothing_can_be_checked_an_error_says_so(tmp_path, runs):
    with pytest.raises(EvalkitError, match="holds no run"):
        verify_run(tmp_path)
    with pytest.raises(EvalkitError, match="no folder"):
        verify_run(tmp_path / "none")
    (runs / "scored" / "record.json").unlink()
    with pytest.raises(EvalkitError, match="unfinished"):
        verify_run(runs / "scored")


def test_runs_from_before_records_listed_everything_are_checked_as_far_as_they_go(runs):
    record = json.loads((runs / "scored" / "record.json").read_bytes())
    del record["digest"], record["files"]["report.html"], record["files"]["plan.json"]
    (runs / "scored" / "record.json").write_bytes(pretty_json(record))
    verdict = verify_run(runs / "scored")
    assert (verdict.level, verdict.failures) == (1, ())
    assert "nothing lists record.json, plan.json, report.html" in step(verdict, 1).detail


def test_the_level_counts_what_passed_below_the_first_gap():
    def verdict(*statuses):
        return Verdict("r", tuple(Step(i, status, "") for i, status in enumerate(statuses)))

    assert verdict("passed", "passed", "passed", "passed", "not needed", "passed").level == 5
    assert verdict("passed", "passed", "not reached", "passed", "passed", "passed").level == 1
    assert verdict("passed", "failed", "passed").level == 0
    assert verdict("failed").level == -1
    assert verdict("passed", "passed", "passed", "passed", "not needed", "not reached").level == 3


def test_failures_of_parents_are_named_with_the_parent():
    bad = Verdict("up", (Step(0, "failed", "", (Failure("a", "b"), Failure("a", "b"))),))
    above = Verdict("down", (Step(0, "passed", ""),), (bad,), (Failure("x/record.json", "gone"),))
    assert [failure.file for failure in above.failures] == ["x/record.json", "up/a"]
    assert above.as_dict()["verified"] is False


def test_samples_are_chosen_by_seed_without_repetition():
    assert chosen(5, 9, 0) == [0, 1, 2, 3, 4]
    assert len(set(chosen(1000, 50, 1))) == 50
    assert chosen(1000, 50, 1) != chosen(1000, 50, 2)


def test_every_task_that_makes_runs_here_has_checks():
    assert {"tokenizer", "generate", "watermark-attack", "watermark", "leaderboard"} <= {*CHECKS, *TASKS}


def test_distances_of_many_images_are_recomputed_from_their_moments(runs, forge):
    """Where there are more images than dimensions a run keeps moments, which give the value and no interval."""
    from evalkit.metrics.frechet import frechet_distance
    from evalkit.metrics.moments import fold, save_moments

    folder = runs / "scored"
    name = "statistics/evalkit-1-fd_efflite0.npz"
    with np.load(folder / name) as held:
        original, reconstruction = held["original"][:, :16], held["reconstruction"][:, :16]

    def result(data):
        rows = json.loads(data)
        row = next(each for each in rows if each["metric"] == "fd_efflite0")
        row["value"] = frechet_distance(fold([original]), fold([reconstruction]))
        return pretty_json(rows)

    save_moments(folder / name, original=fold([original]), reconstruction=fold([reconstruction]))
    forge(folder, **{name.replace(".", "__"): lambda data: data, "results__json": result})
    third = step(verify_run(folder), 3)
    assert third.status == "passed"
    assert "not kept is what 1 intervals need" in third.detail
    save_moments(folder / name, original=fold([original]), reconstruction=fold([reconstruction * 1.1]))
    forge(folder, **{name.replace(".", "__"): lambda data: data})
    assert "fd_efflite0 of images (evalkit-1): value is" in str(verify_run(folder).failures)


def test_layouts_made_from_a_run_are_listed_and_checked(tmp_path):
    from evalkit.jobs.options import RunOptions
    from evalkit.tasks.generate import generate_images

    options = RunOptions(out=tmp_path / "run", limit=2)
    for layout in ("geneval", "npz50k", "geneval"):
        generate_images("world-ar", "world", layout=layout, options=options)
        assert (verify_run(tmp_path / "run").level, verify_run(tmp_path / "run").failures) == (1, ())
    (tmp_path / "run" / "npz50k" / "samples.npz").write_bytes(b"other")
    assert [each.file for each in verify_run(tmp_path / "run").failures] == ["npz50k/samples.npz"]


def test_audit_samples_are_drawn_afresh_and_differently_at_levels_4_and_5():
    first, second = How().seed, How().seed
    assert first != second
    assert level_seed(first, 4) != level_seed(first, 5)
    draws = {tuple(chosen(1000, 5, level_seed(How().seed, level))) for level in (4, 5) for _ in range(20)}
    assert len(draws) == 40


@pytest.mark.parametrize(
    ("total", "drawn", "share", "chance"), [(10, 5, 0.1, 0.5), (100, 100, 0.01, 0), (4, 1, 0.5, 0.5)]
)
def test_the_chance_of_missing_a_fraud_is_that_of_drawing_none_of_it(total, drawn, share, chance):
    assert missed(total, drawn, share) == pytest.approx(chance)


def test_the_seed_of_the_audit_is_told(runs):
    verdict = verify_run(runs / "generated", Depth(regenerate=1, how=How(seed=77)))
    assert verdict.as_dict()["seed"] == 77
    assert "by seed 77" in step(verdict, 5).detail


def test_another_signer_than_expected_does_not_make_files_changed(runs, key, other_key):
    sign_run(runs / "scored", key)
    verdict = verify_run(runs / "scored", Depth(key=other_key.public_key(), rescore=1))
    assert [each.status for each in verdict.steps[:5]] == ["passed", "passed", "failed", "passed", "passed"]
    assert verdict.level == 1


def test_a_check_that_breaks_off_on_the_runs_own_images_has_failed(runs, forge):
    name = "00000000-evalkit-1-reconstruction__png"
    forge(runs / "scored", **{f"images/{name}": lambda data: data[:100]})
    fourth = step(verify_run(runs / "scored", Depth(rescore=3)), 4)
    assert fourth.status == "failed"


@pytest.mark.parametrize("error", [ValueError("x"), KeyError("x"), BadImage("x"), FileNotFoundError(2, "gone")])
def test_a_break_off_is_a_failure_where_the_runs_files_are_the_cause(error, runs, monkeypatch):
    checks = TASKS.get("tokenizer").checks()

    def broken(run, count, how):
        raise error

    monkeypatch.setattr(type(checks), "rescore", lambda self, run, count, how: broken(run, count, how))
    assert step(verify_run(runs / "scored", Depth(rescore=1)), 4).status == "failed"


def test_a_break_off_of_this_machine_says_nothing(runs, monkeypatch):
    checks = TASKS.get("tokenizer").checks()

    def broken(self, run, count, how):
        raise MemoryError

    monkeypatch.setattr(type(checks), "rescore", broken)
    assert step(verify_run(runs / "scored", Depth(rescore=1)), 4).status == "not reached"


@pytest.mark.parametrize("name", ["record.json", "results.json", "samples.parquet", "plan.json", "manifest.jsonl"])
@pytest.mark.parametrize("what", ["pipe", "link", "folder", "dangling"])
def test_what_is_no_plain_file_is_refused_at_once(name, what, runs, tmp_path):
    path = runs / "generated" / name
    path.rename(tmp_path / "aside")
    make = {
        "pipe": lambda: os.mkfifo(path),
        "link": lambda: path.symlink_to(tmp_path / "aside"),
        "folder": path.mkdir,
        "dangling": lambda: path.symlink_to(tmp_path / "nowhere"),
    }
    make[what]()
    if name == "record.json" and what in ("folder", "dangling", "pipe"):
        verdict = verify_or_none(runs / "generated")
        assert verdict is None or name in {failure.file for failure in verdict.failures}
    else:
        verdict = verify_run(runs / "generated", Depth(rescore=1, regenerate=1))
        assert name in {failure.file for failure in verdict.failures}


def verify_or_none(folder):
    try:
        return verify_run(folder)
    except EvalkitError:
        return None


@pytest.mark.parametrize("name", ["../../etc/passwd", "/dev/zero", "images/../../x.png", "C:\\x.png"])
def test_rows_that_lead_out_of_the_folder_fail_at_level_0_and_open_nothing(name, runs, forge):
    def leaving(data):
        table = pq.read_table(pa.BufferReader(data))
        at = table.schema.get_field_index("file")
        return rewritten(table.set_column(at, "file", pa.array([name, *table["file"].to_pylist()[1:]])))

    forge(runs / "generated", samples__parquet=leaving)
    verdict = verify_run(runs / "generated", Depth(regenerate=3))
    assert step(verdict, 0).failures == (Failure(name, "it leads out of the folder"),)
    assert step(verdict, 5).status == "not reached"


def test_co_signed_envelopes_in_other_white_space_hold_for_every_signer(runs, key, other_key):
    sign_run(runs / "generated", key)
    at = runs / "generated" / "attestation.json"
    said = json.loads(at.read_bytes())
    other = sign(json.loads(parse(at.read_bytes()).payload), other_key)
    said["signatures"].insert(0, {"keyid": other.keyid, "sig": base64.b64encode(other.signature).decode()})
    said["signatures"].append({"keyid": "00" * 32, "sig": base64.b64encode(bytes(64)).decode()})
    at.write_text(json.dumps(said))
    for each in (key, other_key):
        assert verify_run(runs / "generated", Depth(key=each.public_key(), recompute=False)).level == 2
    sign_run(runs / "generated", other_key)  # signed by both already, so nothing is lost
    assert len(json.loads(at.read_bytes())["signatures"]) == 3
