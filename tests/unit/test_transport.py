import pytest

from evalkit.errors import EvalkitError
from evalkit.transport import key_for, origin, redacted, retry_after

KEY = "secret-key-123456"


@pytest.fixture(autouse=True)
def _keys(monkeypatch):
    for name in ("EVALKIT_API_KEY", "OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8000", "localhost", "[::1]:1", "10.1.2.3", "192.168.0.9:8000", "gpu-node:8000"]
)
def test_a_key_may_go_in_clear_within_a_private_network(host, monkeypatch):
    monkeypatch.setenv("EVALKIT_API_KEY", KEY)
    assert key_for(f"http://{host}/v1/chat/completions") == KEY


def test_a_key_that_no_header_takes_is_not_shown(monkeypatch):
    monkeypatch.setenv("EVALKIT_API_KEY", "secret\nkey")
    with pytest.raises(EvalkitError, match="EVALKIT_API_KEY holds blanks") as caught:
        key_for("https://api.example.org/v1")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("host", ["api.example.org", "8.8.8.8"])
def test_a_key_goes_out_into_the_world_over_tls_alone(host, monkeypatch):
    monkeypatch.setenv("EVALKIT_API_KEY", KEY)
    assert key_for(f"https://{host}/v1") == KEY
    with pytest.raises(EvalkitError, match="in clear") as caught:
        key_for(f"http://{host}/v1")
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("base", "url", "sent"),
    [
        ("", "https://api.openai.com/v1/chat/completions", True),
        ("", "https://api.openai.com:443/v1", True),
        ("", "https://api.openai.com:8443/v1", False),
        ("", "https://api.openai.com.evil.org/v1", False),
        ("", "https://proxy.example.org/v1", False),
        ("https://proxy.example.org/v1", "https://proxy.example.org/v1/chat/completions", True),
        ("https://proxy.example.org/v1", "https://api.openai.com/v1", False),
    ],
)
def test_the_key_of_openai_is_bound_to_an_origin(base, url, sent, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", base)
    assert (key_for(url) == KEY) is sent


def test_keys_and_bearer_tokens_are_taken_out_of_texts(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    said = redacted(f"{KEY} Authorization: Bearer abcdefgh12345 sk-proj-abcdefgh12345678 sk-y")
    assert said == "[key] Authorization: Bearer [key] sk-[key] sk-y"


def test_an_origin_is_scheme_host_and_odd_ports():
    assert origin("HTTPS://API.example.org/x?y#z") == "https://api.example.org"
    assert origin("http://[::1]:8000/v1") == "http://[::1]:8000"
    with pytest.raises(EvalkitError, match="no web address"):
        origin("http://host:99999/v1")


@pytest.mark.parametrize(
    ("said", "seconds"), [("3", 3), ("", 0), ("soon", 0), ("-4", 0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0)]
)
def test_retry_after_is_never_negative(said, seconds):
    assert retry_after({"retry-after": said}) == seconds
