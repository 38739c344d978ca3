import pytest

from evalkit.errors import EvalkitError
from evalkit.watermark.service.log import AuditLog, read_log


def test_lines_are_added_and_never_changed(tmp_path):
    path = tmp_path / "log"
    for number in range(3):
        log = AuditLog(path)
        before = path.read_bytes()
        log.write([{"event": "answer", "number": number}, {"event": "answer", "number": -number}])
        log.close()
        assert path.read_bytes().startswith(before)
    assert [each["number"] for each in read_log(path)] == [0, 0, 1, -1, 2, -2]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_line_that_a_kill_tore_off_costs_itself_only(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b'{"event":"start"}\n{"event":"ans')
    log = AuditLog(path)
    log.write([{"event": "start"}])
    log.write([{"event": "stop"}])
    log.close()
    assert path.read_bytes().startswith(b'{"event":"start"}\n{"event":"ans\n')
    assert [each["event"] for each in read_log(path)] == ["start", "start", "stop"]


def test_one_process_writes_a_log(tmp_path):
    log = AuditLog(tmp_path / "log")
    with pytest.raises(EvalkitError, match="another process"):
        AuditLog(tmp_path / "log")
    log.close()
    AuditLog(tmp_path / "log").close()
    with pytest.raises(EvalkitError, match="cannot be written"):
        AuditLog(tmp_path)


@pytest.mark.parametrize("way", ["moved", "removed"])
def test_a_log_that_was_moved_or_removed_goes_on_in_a_new_file_that_names_the_ring(tmp_path, way):
    path = tmp_path / "log"
    log = AuditLog(path)
    log.write([{"event": "start", "ring": "a", "entries": []}, {"event": "answer", "number": 1}])
    if way == "moved":
        path.rename(tmp_path / "log.1")
    else:
        path.unlink()
    log.write([{"event": "answer", "number": 2}])
    log.write([{"event": "stop"}])
    with pytest.raises(EvalkitError, match="another process"):
        AuditLog(path)
    log.close()
    found = list(read_log(path))
    assert [each["event"] for each in found] == ["ring", "answer", "stop"]
    assert (found[0]["ring"], found[1]["number"]) == ("a", 2)
    if way == "moved":
        assert [each["event"] for each in read_log(tmp_path / "log.1")] == ["start", "answer"]


def test_a_log_whose_name_another_process_took_refuses_the_entries(tmp_path):
    path = tmp_path / "log"
    log = AuditLog(path)
    path.unlink()
    other = AuditLog(path)
    with pytest.raises(OSError):
        log.write([{"event": "answer"}])
    other.close()
    log.write([{"event": "answer"}])
    log.close()
    assert [each["event"] for each in read_log(path)] == ["answer"]
