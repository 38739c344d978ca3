import stat

import pytest
from click.testing import CliRunner

from evalkit.cli import group
from evalkit.errors import EvalkitError
from evalkit.watermark.keys import Key, new_key, read_key


def test_a_key_is_written_once_for_its_owner_and_read_back(tmp_path):
    path = tmp_path / "a.key"
    key = new_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_key(path) == key
    with pytest.raises(EvalkitError, match="not overwritten"):
        new_key(path)
    with pytest.raises(EvalkitError, match="cannot be written"):
        new_key(path / "below.key")


def test_a_key_comes_from_the_environment_too(monkeypatch):
    monkeypatch.setenv("MARK", "ab12" * 16)
    assert read_key("env:MARK").secret == bytes.fromhex("ab12" * 16)
    with pytest.raises(EvalkitError, match="no variable NONE_SUCH"):
        read_key("env:NONE_SUCH")


def test_a_key_never_shows_itself(tmp_path):
    key = Key(bytes(range(32)))
    assert key.secret.hex() not in repr(key) + key.id
    with pytest.raises(EvalkitError, match="never itself"):
        read_key("ab" * 32)
    (tmp_path / "bad.key").write_text("not hex, but secret")
    with pytest.raises(EvalkitError) as raised:
        read_key(tmp_path / "bad.key")
    assert "secret" not in str(raised.value).replace(str(tmp_path), "")


def test_what_is_derived_depends_on_every_part_and_its_borders():
    key = Key(bytes(32))
    said = {key.derive(*parts) for parts in (("a", "b"), ("ab",), ("a", "b", ""), ("b", "a"), ("a", 1), ("a", "11"))}
    assert len(said) == 6
    assert (key.numbers(5, "x") == key.numbers(9, "x")[:5]).all()
    assert (key.numbers(5, "x") != key.numbers(5, "y")).any()


def test_wrong_lengths_and_absent_files_are_refused(tmp_path):
    with pytest.raises(EvalkitError, match="32 bytes; 5 given"):
        Key(b"short")
    with pytest.raises(EvalkitError, match="no readable key file"):
        read_key(tmp_path / "none.key")
    (tmp_path / "large").write_bytes(b"0" * 5000)
    with pytest.raises(EvalkitError, match="too large"):
        read_key(tmp_path / "large")


@pytest.mark.parametrize("byte", ["00", "ff"])
def test_a_key_of_one_repeated_byte_is_refused(tmp_path, monkeypatch, byte):
    (tmp_path / "k").write_text(byte * 32)
    monkeypatch.setenv("WEAK", byte * 32)
    for source in (tmp_path / "k", "env:WEAK"):
        with pytest.raises(EvalkitError, match="anybody can guess"):
            read_key(source)


def test_a_key_file_that_anybody_may_write_is_refused(tmp_path):
    key = new_key(tmp_path / "k")
    (tmp_path / "k").chmod(0o602)
    with pytest.raises(EvalkitError, match=f"chmod 600 {tmp_path}/k"):
        read_key(tmp_path / "k")
    (tmp_path / "k").chmod(0o644)
    assert read_key(tmp_path / "k") == key


def test_keygen_prints_the_id_and_not_the_key(tmp_path):
    path = tmp_path / "k"
    said = CliRunner().invoke(group, ["watermark", "keygen", str(path)]).output
    assert read_key(path).id in said
    assert read_key(path).secret.hex() not in said
