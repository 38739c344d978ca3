"""Folders that were made to break the reader: every one ends in a verdict or in one sentence, never in a traceback."""

import base64
import json
import shutil
from dataclasses import fields

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evalkit.errors import EvalkitError
from evalkit.jsonio import canonical_json, pretty_json
from evalkit.provenance.dsse import sign
from evalkit.provenance.sign import sign_run
from evalkit.provenance.verify import Depth, verify_run
from evalkit.runs.record import with_digest
from evalkit.runs.store import Result

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
many = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
BYTES = [
    b"",
    b"[" * 100_000,
    b"{" * 10,
    b"NaN\n",
    b'{\n "a": 1,\n "a": 2\n}\n',
    b'"\\ud800"\n',
    b"null\n",
    b"[]\n",
    b"{}\n",
    b"\xff\xfe\n",
    b"1" * 5000,
    b"PAR1" + b"\0" * 100 + b"PAR1",
]


def judged(folder, **depth):
    """The verdict, or None where one sentence says why there is none."""
    try:
        return verify_run(folder, Depth(**depth))
    except EvalkitError:
        return None


def signed(folder, key):
    """Whether the folder was found fit to be signed."""
    try:
        sign_run(folder, key)
    except EvalkitError:
        return False
    return True


def resealed(folder, record):
    """The record with digests of what is there, so that only its strange content can stop a reader."""
    import hashlib

    there = [path for path in folder.rglob("*") if path.is_file() and path.name != "record.json"]
    files = {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in there}
    (folder / "record.json").write_bytes(pretty_json(with_digest({**record, "files": files})))


@pytest.mark.parametrize("data", BYTES)
@pytest.mark.parametrize("kind", ["generated", "scored", "attacked"])
def test_any_file_may_hold_anything(kind, data, made, key, tmp_path):
    for name in ("record.json", "plan.json", "results.json", "samples.parquet", "manifest.jsonl", "attestation.json"):
        folder = tmp_path / name.replace(".", "-")
        shutil.copytree(made / kind, folder)
        there = (folder / name).exists()
        (folder / name).write_bytes(data)
        verdict = judged(folder, rescore=1, regenerate=0)
        assert verdict is None or verdict.failures or not there or name == "manifest.jsonl"
        if there and name != "attestation.json":
            assert not signed(folder, key) or kind == "attacked"
        else:
            signed(folder, key)


@given(data=st.data())
@many
def test_records_may_hold_anything_of_any_type(data, made, tmp_path_factory):
    kind = data.draw(st.sampled_from(["generated", "scored"]))
    folder = tmp_path_factory.mktemp("hostile") / "run"
    shutil.copytree(made / kind, folder)
    record = json.loads((folder / "record.json").read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        place = record
        while True:
            name = data.draw(st.sampled_from(sorted(place)))
            if not isinstance(place[name], dict) or not place[name] or data.draw(st.booleans()):
                break
            place = place[name]
        place[name] = data.draw(json_values)
    if isinstance(record.get("plan"), dict):
        (folder / "plan.json").write_bytes(canonical_json(record["plan"]))
    resealed(folder, record)
    judged(folder, rescore=1)


result_rows = st.fixed_dictionaries({}, optional={field.name: json_values for field in fields(Result)})


@given(rows=st.lists(json_values | result_rows, max_size=3))
@many
def test_results_may_hold_anything_of_any_type(rows, made, tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile") / "run"
    shutil.copytree(made / "scored", folder)
    before = json.loads((folder / "results.json").read_bytes())
    filled = [{**before[0], **row} if isinstance(row, dict) else row for row in rows]
    (folder / "results.json").write_bytes(pretty_json(filled))
    resealed(folder, json.loads((folder / "record.json").read_bytes()))
    verdict = judged(folder)
    assert verdict is None or verdict.failures


@given(
    lines=st.lists(json_values | st.fixed_dictionaries({"id": json_values, "path": json_values, "sha256": json_values}))
)
@many
def test_manifests_may_hold_anything(lines, made, tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile") / "attacked"
    shutil.copytree(made / "attacked", folder)
    (folder / "manifest.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    judged(folder, regenerate=1)


@given(data=st.data())
@many
def test_statements_that_are_rightly_signed_may_say_anything(data, made, key, tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile") / "run"
    shutil.copytree(made / "generated", folder)
    sign_run(folder, key)
    said = json.loads(base64.b64decode(json.loads((folder / "attestation.json").read_bytes())["payload"]))
    name = data.draw(st.sampled_from(["subject", "predicate", "parents", "parent", "_type", "digest"]))
    value = data.draw(json_values)
    if name == "parents":
        said["predicate"]["parents"] = value
    elif name == "parent":
        said["predicate"]["parents"] = [{"name": value, "task": value, "record": value, "samples": value}]
    elif name == "digest":
        said["subject"][0]["digest"] = value
    else:
        said[name] = value
    (folder / "attestation.json").write_bytes(sign(said, key).to_json())
    verdict = judged(folder, key=key.public_key(), recompute=False, parents=folder.parent)
    assert verdict is not None
    assert verdict.failures or said["_type"] == "https://in-toto.io/Statement/v1"


def test_samples_of_strange_types_are_no_traceback(made, key, tmp_path):
    tables = [
        pa.table({"id": [1, 2]}),
        pa.table({"id": pa.array([b"\xff"], pa.binary())}),
        pa.table({"id": ["a"], "x": pa.array([{"deep": [1, None]}])}),
        pa.table({"id": pa.array([None], pa.string()), "error": [5]}),
        pa.table({"id": pa.array([], pa.string())}),
        pa.table({"x": [1]}),
    ]
    for number, table in enumerate(tables):
        for kind in ("generated", "scored"):
            folder = tmp_path / f"{kind}{number}"
            shutil.copytree(made / kind, folder)
            pq.write_table(table, folder / "samples.parquet")
            resealed(folder, json.loads((folder / "record.json").read_bytes()))
            verdict = judged(folder, rescore=1, regenerate=1)
            assert verdict is not None
            assert verdict.failures
            signed(folder, key)


def test_names_that_lead_out_of_the_folder_open_nothing(made, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(made / "scored", folder)
    record = json.loads((folder / "record.json").read_bytes())
    secret = tmp_path / "secret.png"
    shutil.copy(folder / "images" / "00000000-evalkit-1-original.png", secret)
    index = json.loads((folder / "images" / "index.json").read_bytes())
    for row in index:
        row["original"] = row["reconstruction"] = "../secret.png"
    (folder / "images" / "index.json").write_bytes(pretty_json(index))
    resealed(folder, record)
    verdict = judged(folder, rescore=1)
    assert verdict is not None
    assert {failure.file for failure in verdict.failures} == {"../secret.png"}
    record["files"]["../secret.png"] = "0" * 64
    (folder / "record.json").write_bytes(pretty_json(with_digest(record)))
    assert "../secret.png" in {failure.file for failure in judged(folder).failures}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("protocols", True),
        ("protocols", [1]),
        ("environment", [None]),
        ("environment", {"packages": 5}),
        ("judges", {"weights": []}),
        ("files", {"a": "b"}),
        ("model", "m"),
        ("task", 1),
    ],
)
def test_a_record_with_parts_of_other_types_fails_at_level_0(name, value, made, key, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(made / "scored", folder)
    record = json.loads((folder / "record.json").read_bytes())
    (folder / "record.json").write_bytes(pretty_json(with_digest({**record, name: value})))
    verdict = judged(folder)
    assert verdict is not None
    assert verdict.level == -1
    assert "record.json" in {failure.file for failure in verdict.failures}
    assert not signed(folder, key)
