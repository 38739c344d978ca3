import json
import threading

import pytest

from evalkit.errors import EvalkitError
from evalkit.judges.reply import RawReply, Token
from evalkit.judges.store import ReplyStore

RAW = RawReply(
    text="a\u2028b\n\ud800 ü",
    finish="stop",
    model="m",
    prompt_tokens=3,
    tokens=(Token(" yes", -0.1, ((" no", -2.0),)),),
)


def test_a_reply_comes_back_as_it_was_put(tmp_path):
    path = tmp_path / "deep" / "r.jsonl"
    with ReplyStore(path) as store:
        kept = store.put("k", RAW, {"judge": "m"})
        assert store.get("k") == kept
    with ReplyStore(path) as store:
        again = store.get("k")
    assert again.tokens == RAW.tokens
    assert again.text == "a\u2028b\n? ü"
    assert path.read_bytes().count(b"\n") == 1


def test_a_line_that_broke_off_is_passed_over_and_the_next_one_is_whole(tmp_path):
    path = tmp_path / "r.jsonl"
    with ReplyStore(path) as store:
        store.put("a", RawReply(text="1"), {})
        store.put("b", RawReply(text="2"), {})
    path.write_bytes(path.read_bytes()[:-20])
    with ReplyStore(path) as store:
        assert (len(store), store.broken) == (1, 1)
        store.put("c", RawReply(text="3"), {})
    with ReplyStore(path) as store:
        assert store.get("b") is None
        assert store.get("c").text == "3"


@pytest.mark.parametrize(
    "line",
    [
        b"[]",
        b"3",
        b'{"key": 1}',
        b'{"key": "a", "reply": {"odd": 1}}',
        b'{"key": "a", "reply": {"text": 1}}',
        b'{"key": "a", "reply": {"kind": "x"}}',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
def test_lines_of_something_else_are_counted_and_do_no_harm(tmp_path, line):
    path = tmp_path / "r.jsonl"
    path.write_bytes(line + b"\n")
    with ReplyStore(path) as store:
        assert (len(store), store.broken) == (0, 1)


def test_errors_are_kept_for_the_record_and_not_as_replies(tmp_path):
    with ReplyStore(tmp_path / "r.jsonl") as store:
        store.put("k", RawReply("error", error="answers 500"), {})
        assert store.get("k") is None
    assert json.loads((tmp_path / "r.jsonl").read_text())["reply"]["error"] == "answers 500"


def test_no_key_of_the_environment_is_written(tmp_path, monkeypatch):
    monkeypatch.setenv("EVALKIT_API_KEY", "secret-key-123456")
    with ReplyStore(tmp_path / "r.jsonl") as store:
        store.put("k", RawReply(text="your key is secret-key-123456"), {"note": "secret-key-123456"})
    assert "secret" not in (tmp_path / "r.jsonl").read_text()


@pytest.mark.parametrize("key", ["0", "EMPTY", 'a"b\\\\c-secret', "messages", "completion"])
def test_odd_keys_leave_the_file_whole(tmp_path, monkeypatch, key):
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with ReplyStore(tmp_path / "r.jsonl") as store:
        store.put("k", RawReply(text=f"it is {key}", prompt_tokens=100), {"messages": [key], "parameters": {}})
    with ReplyStore(tmp_path / "r.jsonl") as store:
        assert (store.get("k").prompt_tokens, store.broken) == (100, 0)
    told = json.loads((tmp_path / "r.jsonl").read_text())
    assert (key in told["reply"]["text"], key in told["about"]["messages"]) == (len(key) < 8,) * 2


def test_threads_and_a_second_store_append_whole_lines(tmp_path):
    with ReplyStore(tmp_path / "r.jsonl") as one, ReplyStore(tmp_path / "r.jsonl") as two:
        threads = [
            threading.Thread(
                target=lambda s=s, n=n: [s.put(f"{n}-{i}", RawReply(text="x" * 500), {}) for i in range(50)]
            )
            for n, s in enumerate((one, two, one, two))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    with ReplyStore(tmp_path / "r.jsonl") as store:
        assert (len(store), store.broken) == (200, 0)


def test_a_place_that_cannot_hold_replies_is_one_sentence(tmp_path):
    with pytest.raises(EvalkitError, match="cannot hold replies"):
        ReplyStore(tmp_path)


def test_the_file_is_the_user_s_alone(tmp_path):
    with ReplyStore(tmp_path / "r.jsonl"):
        assert (tmp_path / "r.jsonl").stat().st_mode & 0o077 == 0
