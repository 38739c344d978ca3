import json
import socket

import pytest
from click.testing import CliRunner

from evalkit.cli import group
from evalkit.errors import EvalkitError
from evalkit.images.credential import new_credential
from evalkit.watermark.methods import read_mark
from evalkit.watermark.service.ring_file import read_ring


def run(*arguments):
    return CliRunner().invoke(group, ["watermark", *map(str, arguments)], catch_exceptions=False)


@pytest.fixture
def own(made, tmp_path):
    """A ring that was made by commands: the key `one` as `q4`, rotated to `two` as `q1`."""
    path = tmp_path / "ring"
    assert (
        run("ring", "add", path, "--id", "q4", "--key", made.home / "one.key", "--mark", made.mark.path).exit_code == 0
    )
    assert run("ring", "rotate", path, "--id", "q4", "--to", "q1", "--key", made.home / "two.key").exit_code == 0
    return path


def test_a_ring_is_made_rotated_and_changed_by_commands(own, made):
    assert [(each.id, each.state, each.key_id) for each in read_ring(own).entries] == [
        ("q4", "retired", made.keys["one"].id),
        ("q1", "active", made.keys["two"].id),
    ]
    assert read_ring(own).entries[0].mark == made.mark.spec
    assert run("ring", "state", own, "--id", "q4", "revoked", "--until", "2027-01-01").exit_code == 0
    shown = run("ring", "show", own).output
    assert "revoked" in shown
    assert made.keys["two"].id in shown
    entries = json.loads(run("ring", "show", own, "--json").output)["keys"]
    assert entries[0]["until"] == "2027-01-01T00:00:00Z"
    with pytest.raises(EvalkitError, match="twice"):
        run("ring", "rotate", own, "--id", "q4", "--to", "q1", "--key", made.home / "one.key")


def test_an_entry_without_a_mark_file_takes_the_tokenizer_by_name(made, tmp_path, monkeypatch):
    monkeypatch.setenv("A_KEY", made.keys["one"].secret.hex())
    given = ("--key", "env:A_KEY", "--tokenizer", "world-vq", "--method", "places")
    assert run("ring", "add", tmp_path / "ring", "--id", "a", *given).exit_code == 0
    (entry,) = read_ring(tmp_path / "ring").entries
    assert (entry.key, entry.tokenizer, entry.mark) == ("env:A_KEY", made.mark.tokenizer, made.mark.spec)


def test_a_scan_prints_counts_and_what_chance_alone_would_give(own, made, tmp_path):
    out = tmp_path / "s.jsonl"
    given = ("scan", made.run.path / "images", "--key-ring", own, "--out", out, "--no-cache")
    shown = run(*given)
    assert shown.exit_code == 0
    assert "4 marked, 0 not found, 0 undecided, 0 could not be read" in shown.output
    assert "2 keys; without any mark at most 4e-06 images" in shown.output
    assert json.loads(run(*given, "--json").output)["counts"] == {"marked": 4}


def test_an_audit_exits_with_1_where_a_layer_is_missing(own, made, tmp_path):
    given = ("audit", made.run.path / "images", "--key-ring", own, "--no-cache", "--edit", "png", "--images", 2)
    shown = run(*given, "--out", tmp_path / "audit")
    assert shown.exit_code == 1
    assert "watermark only: 4" in shown.output
    assert json.loads(run(*given, "--out", tmp_path / "audit", "--json").output)["layers"]["watermark only"] == 4


def test_the_profile_needs_a_credential_and_gives_both_layers(own, made, tmp_path):
    new_credential(tmp_path / "c2pa")
    given = ("embed", made.home / "plain", "--key", made.home / "one.key", "--mark", made.mark.path, "--by", "pixels")
    given += ("--psnr", 28, "--levels", 24, "--descent", 15, "--profile", "eu-article-50", "--out", tmp_path / "both")
    assert "--c2pa" in CliRunner().invoke(group, ["watermark", *map(str, given)]).output
    assert run(*given, "--c2pa", tmp_path / "c2pa" / "signer.pem", tmp_path / "c2pa" / "signer.key").exit_code == 0
    signed = ("audit", tmp_path / "both" / "signed", "--key-ring", own, "--no-cache", "--images", 0)
    shown = run(*signed, "--out", tmp_path / "audit")
    assert shown.exit_code == 0
    assert "both: 4" in shown.output


def test_images_are_marked_as_the_last_active_entry_says(own, made, tmp_path):
    given = ("embed", made.home / "plain", "--key-ring", own, "--by", "pixels", "--descent", 1, "--limit", 1)
    assert run(*given, "--out", tmp_path / "new").exit_code == 0
    assert read_mark(tmp_path / "new").key_id == made.keys["two"].id
    assert read_mark(tmp_path / "new").spec == made.mark.spec
    with pytest.raises(EvalkitError, match=r"leave out .*--key,"):
        run(*given, "--key", made.home / "one.key", "--out", tmp_path / "other")
    assert run("ring", "state", own, "--id", "q1", "retired").exit_code == 0
    with pytest.raises(EvalkitError, match="no active entry"):
        run(*given, "--out", tmp_path / "other")
    with pytest.raises(EvalkitError, match="whose mark"):
        run("embed", made.home / "plain", "--tokenizer", "world-vq", "--out", tmp_path / "other")


def test_an_address_that_is_taken_is_one_sentence(own, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(EvalkitError, match="cannot be listened on"):
            run("serve", "--key-ring", own, "--port", port, "--audit-log", tmp_path / "log")
