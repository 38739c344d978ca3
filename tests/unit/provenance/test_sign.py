"""What is signed, what is not, and what a statement says."""

import base64
import json

import pytest

from evalkit.errors import EvalkitError
from evalkit.jsonio import pretty_json
from evalkit.provenance.sign import parents_of, sign_run
from evalkit.provenance.verify import Depth, verify_run
from evalkit.runs.record import with_digest


def statement(folder):
    return json.loads(base64.b64decode(json.loads((folder / "attestation.json").read_bytes())["payload"]))


def test_a_statement_has_all_files_as_subjects_and_the_shape_of_slsa_provenance(runs, key):
    folder = runs / "scored"
    sign_run(folder, key)
    said = statement(folder)
    assert said["_type"] == "https://in-toto.io/Statement/v1"
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {each["name"] for each in said["subject"]} == there - {"attestation.json"}
    assert set(said["predicate"]["buildDefinition"]) == {
        "buildType",
        "externalParameters",
        "internalParameters",
        "resolvedDependencies",
    }
    assert set(said["predicate"]["runDetails"]) == {"builder", "metadata"}
    assert said["predicate"]["results"] == json.loads((folder / "results.json").read_bytes())
    names = [each["name"] for each in said["predicate"]["buildDefinition"]["resolvedDependencies"]]
    assert {"model:jpeg-q75", "data:images", "protocol:evalkit-1"} <= set(names)


def test_the_private_key_is_in_no_file(runs, key):
    sign_run(runs / "generated", key)
    secret = key.private_bytes_raw()
    for path in (runs / "generated").rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert secret not in data
            assert secret.hex().encode() not in data


def test_signing_twice_gives_the_same_bytes(runs, key):
    sign_run(runs / "generated", key)
    before = (runs / "generated" / "attestation.json").read_bytes()
    sign_run(runs / "generated", key)
    assert (runs / "generated" / "attestation.json").read_bytes() == before


@pytest.mark.parametrize("change", ["key", "file", "broken"])
def test_another_signature_is_replaced_only_by_force(change, runs, key, other_key):
    folder = runs / "generated"
    sign_run(folder, key)
    if change == "broken":
        (folder / "attestation.json").write_bytes(b"{}")
    elif change == "file":
        record = json.loads((folder / "record.json").read_bytes())
        del record["digest"]
        (folder / "extra.txt").write_text("1")
        (folder / "record.json").write_text(json.dumps(record, sort_keys=True, indent=1, ensure_ascii=False) + "\n")
    signer = other_key if change == "key" else key
    with pytest.raises(EvalkitError, match="--force"):
        sign_run(folder, signer)
    sign_run(folder, signer, replace=True)
    assert not verify_run(folder, Depth(key=signer.public_key())).failures


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("scored", "results.json"),
        ("scored", "samples.parquet"),
        ("scored", "images/index.json"),
        ("scored", "report.html"),
        ("generated", "manifest.jsonl"),
        ("attacked", "jpeg-75/0000000.jpg"),
    ],
)
def test_a_changed_run_is_not_signed(kind, name, runs, key):
    path = runs / kind / name
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(EvalkitError, match="is not signed") as caught:
        sign_run(runs / kind, key)
    assert name in str(caught.value)
    assert not (runs / kind / "attestation.json").exists()


def test_what_is_no_run_is_signed_only_as_made_from_runs(runs, key, tmp_path):
    board = tmp_path / "board"
    board.mkdir()
    (board / "index.html").write_text("x")
    with pytest.raises(EvalkitError, match="--parent RUN"):
        sign_run(board, key)
    sign_run(board, key, parents=[runs / "scored"])
    verdict = verify_run(board, Depth(key=key.public_key()))
    assert (verdict.level, verdict.failures) == (2, ())
    assert [each.status for each in verdict.steps[3:]] == ["not needed"] * 3
    with pytest.raises(EvalkitError, match="no run"):
        sign_run(tmp_path / "none", key, parents=[runs / "scored"])
    (board / "link").symlink_to(board / "index.html")
    with pytest.raises(EvalkitError, match="no plain file"):
        sign_run(board, key, parents=[runs / "scored"], replace=True)


def test_an_unfinished_run_is_not_signed(runs, key):
    (runs / "scored" / "record.json").unlink()
    with pytest.raises(EvalkitError, match="unfinished"):
        sign_run(runs / "scored", key)


def test_generation_scoring_and_board_are_a_chain(runs, key):
    board = runs / "board"
    board.mkdir()
    (board / "board.csv").write_text("x")
    for name, parents in (("generated", []), ("scored", []), ("board", [runs / "scored"])):
        sign_run(runs / name, key, parents=parents)
    assert [parent.name for parent in parents_of(runs / "scored")] == ["generated"]
    verdict = verify_run(board, Depth(key=key.public_key(), parents=runs))
    (scored,) = verdict.parents
    (generated,) = scored.parents
    assert [each.run for each in (verdict, scored, generated)] == ["board", "scored", "generated"]
    assert [each.level for each in (verdict, scored, generated)] == [2, 3, 3]
    assert not verdict.failures


def test_a_parent_that_has_changed_or_is_gone_is_named(runs, key, tmp_path):
    for name in ("generated", "scored"):
        sign_run(runs / name, key)
    depth = Depth(key=key.public_key(), recompute=False, parents=runs)
    image = runs / "generated" / "images" / "0000000.png"
    before = image.read_bytes()
    image.write_bytes(before + b"\0")
    verdict = verify_run(runs / "scored", depth)
    assert [failure.file for failure in verdict.failures] == ["generated/images/0000000.png"]
    image.write_bytes(before)
    assert not verify_run(runs / "scored", depth).failures
    (runs / "generated").rename(tmp_path / "generated")
    verdict = verify_run(runs / "scored", depth)
    assert [failure.file for failure in verdict.failures] == ["generated/record.json"]
    with pytest.raises(EvalkitError, match="no folder"):
        verify_run(runs / "scored", Depth(parents=tmp_path / "none"))


def test_a_parent_that_holds_other_images_is_no_parent(made, runs, key, forge, tmp_path):
    """The scored run claims a generation with other images: its rows know better."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq
    from PIL import Image

    folder = runs / "generated"
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(tmp_path / "black.png")
    forge(folder, **{"images/0000001__png": lambda data: (tmp_path / "black.png").read_bytes()})
    digest = json.loads((folder / "record.json").read_bytes())["files"]["images/0000001.png"]

    def other(data):
        table = pq.read_table(pa.BufferReader(data))
        values = table["sha256"].to_pylist()
        values[1] = digest
        sink = pa.BufferOutputStream()
        at = table.schema.get_field_index("sha256")
        pq.write_table(table.set_column(at, "sha256", pa.array(values)), sink)
        return sink.getvalue().to_pybytes()

    forge(folder, samples__parquet=other)
    sign_run(folder, key)
    sign_run(runs / "scored", key)
    verdict = verify_run(runs / "scored", Depth(key=key.public_key(), recompute=False, parents=runs))
    assert [str(failure.reason) for failure in verdict.failures] == ["1 of its images are in no parent"]


def test_a_run_that_names_itself_as_its_parent_ends(runs, key):
    from evalkit.provenance.dsse import sign
    from evalkit.provenance.statement import parent_of, present_digests, statement_of

    folder = runs / "generated"
    files = {name: digest for name, digest in present_digests(folder).items() if digest}
    (folder / "attestation.json").write_bytes(sign(statement_of(folder, [parent_of(folder)], files), key).to_json())
    verdict = verify_run(folder, Depth(key=key.public_key(), recompute=False, parents=runs))
    assert [failure.reason for failure in verdict.failures] == ["a run cannot be made from itself"]


def test_links_below_the_parents_folder_are_not_followed(runs, key):
    sign_run(runs / "scored", key)
    (runs / "generated").rename(runs.parent / "generated")
    (runs / "generated").symlink_to(runs.parent / "generated")
    verdict = verify_run(runs / "scored", Depth(recompute=False, parents=runs))
    assert [failure.file for failure in verdict.failures] == ["generated/record.json"]


def test_a_parent_that_several_runs_share_is_checked_once(runs, key, monkeypatch):
    import shutil

    from evalkit.provenance import verify

    board = runs / "board"
    board.mkdir()
    (board / "board.csv").write_text("x")
    shutil.copytree(runs / "scored", runs / "again")
    record = json.loads((runs / "again" / "record.json").read_bytes())
    (runs / "again" / "record.json").write_bytes(pretty_json(with_digest({**record, "seed": 7})))
    for name in ("generated", "scored", "again"):
        sign_run(runs / name, key)
    sign_run(board, key, parents=[runs / "scored", runs / "again"])
    opened = []
    listed = verify.present_digests
    monkeypatch.setattr(verify, "present_digests", lambda path, told: opened.append(path.name) or listed(path, told))
    verdict = verify_run(board, Depth(key=key.public_key(), recompute=False, parents=runs))
    assert not verdict.failures
    assert [parent.parents[0].run for parent in verdict.parents] == ["generated", "generated"]
    assert sorted(opened) == ["again", "board", "generated", "scored"]
