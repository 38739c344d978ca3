import pickle

import pytest

from evalkit.jobs.aside import Aside


def test_what_is_beyond_the_limit_comes_back_from_the_disk_as_it_was():
    files, wanted = Aside(most=10), {f"images/{i}.png": bytes([i]) * (3 * i) for i in range(8)}
    files.update(wanted)
    assert files == wanted
    assert list(files.items()) == list(wanted.items())


def test_a_name_that_is_given_again_has_the_new_bytes_wherever_they_lie():
    files = Aside(most=4)
    for data in (b"123456", b"12", b"1234567", b"1234"):
        files["a"] = data
        assert dict(files) == {"a": data}
    with pytest.raises(KeyError):
        files["b"]


def test_another_process_gets_all_of_it():
    files = Aside(most=1)
    files.update({"a": b"1", "b": b"22"})
    assert pickle.loads(pickle.dumps(files)) == {"a": b"1", "b": b"22"}


def test_many_bytes_are_not_held_in_memory():
    files = Aside(most=10)
    files["a"] = b"123"
    assert not files._data._rolled
    files["b"] = b"1" * 20
    assert files._data._rolled
    assert dict(files) == {"a": b"123", "b": b"1" * 20}
