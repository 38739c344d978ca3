import hashlib
import http.server
import threading
from functools import partial

import pytest

from evalkit.errors import EvalkitError, WeightsError
from evalkit.systems.weights import fetch, weight_states
from evalkit.weights import find
from evalkit.weights.download import answers, from_url
from evalkit.weights.find import WeightFile, find_weights, missing_message, weights_manifest

KEY = "vq_ds16_c2i.pt"


@pytest.fixture(autouse=True)
def _offline(monkeypatch, tmp_path):
    monkeypatch.setenv("EVALKIT_OFFLINE", "1")
    monkeypatch.setenv("EVALKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("EVALKIT_WEIGHTS", raising=False)


def test_every_entry_names_source_licence_and_files():
    for key, entry in weights_manifest().items():
        assert entry.key == key
        assert entry.source.partition(":")[0] in {"hf", "url", "package", "manual"}
        assert entry.files
        assert entry.licence
        assert key not in missing_message(entry) or entry.where in missing_message(entry)


def test_the_given_path_comes_first(tmp_path, monkeypatch):
    mine, other = tmp_path / "mine.pt", tmp_path / "w"
    other.mkdir()
    mine.touch()
    (other / KEY).touch()
    monkeypatch.setenv("EVALKIT_WEIGHTS", str(other))
    assert find_weights(KEY, mine) == mine
    assert find_weights(KEY, other) == other / KEY
    assert find_weights(KEY) == other / KEY


def test_a_given_path_that_is_not_there_says_what_was_expected(tmp_path):
    with pytest.raises(WeightsError, match=rf"is not there; expected {KEY} from huggingface"):
        find_weights(KEY, tmp_path / "nothing.pt")
    with pytest.raises(WeightsError, match="does not hold it"):
        find_weights(KEY, tmp_path)


def test_missing_weights_are_one_sentence_with_file_source_and_flag():
    with pytest.raises(WeightsError) as caught:
        find_weights(KEY)
    said = str(caught.value)
    assert all(
        part in said for part in (KEY, "huggingface.co/FoundationVision/LlamaGen", "--weights", "EVALKIT_WEIGHTS")
    )
    assert "\n" not in said


def test_a_file_that_the_manifest_lacks_is_somebodys_own():
    with pytest.raises(WeightsError, match="get them from whoever trained it and pass --weights PATH"):
        find_weights("nothing.pt")


def test_weights_of_a_package_are_found():
    assert find_weights("efficientnet-lite0").is_file()


def test_a_folder_entry_needs_all_its_files(tmp_path):
    entry = WeightFile("two", "hf:a/b", ("config.json", "model.safetensors"), "MIT", gated=True)
    (tmp_path / "config.json").touch()
    assert find._in_folder(entry, tmp_path) is None
    (tmp_path / "model.safetensors").touch()
    assert find._in_folder(entry, tmp_path) == tmp_path
    assert "the files config.json, model.safetensors" in missing_message(entry)
    assert "accept its licence" in missing_message(entry)


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.delenv("EVALKIT_OFFLINE")  # it is on this machine
    folder = tmp_path / "www"
    folder.mkdir()
    body = b"weights" * 1000
    (folder / f"net-{hashlib.sha256(body).hexdigest()[:8]}.pth").write_bytes(body)
    (folder / "net-00000000.pth").write_bytes(body)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=folder)) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}", body, folder
        running.shutdown()


def test_a_file_is_fetched_once_whole_and_checked(server, tmp_path):
    address, body, folder = server
    good = next(p.name for p in folder.iterdir() if "00000000" not in p.name)
    path = from_url(f"{address}/{good}")
    assert path is not None
    assert path.read_bytes() == body
    (folder / good).unlink()
    assert from_url(f"{address}/{good}") == path


def test_another_content_than_the_name_states_is_refused(server):
    address, _, _ = server
    with pytest.raises(WeightsError, match="another file than expected"):
        from_url(f"{address}/net-00000000.pth")


def test_what_cannot_be_fetched_is_none_and_leaves_nothing(server, tmp_path):
    address, _, _ = server
    assert from_url(f"{address}/absent.pth") is None
    assert from_url("http://127.0.0.1:9/x.pth") is None
    assert from_url(f"{address}/x.pth", download=False) is None
    assert not list((tmp_path / "cache" / "weights").glob("*"))


def test_states_say_what_is_here(tmp_path, monkeypatch):
    (tmp_path / KEY).write_bytes(b"x")
    monkeypatch.setenv("EVALKIT_WEIGHTS", str(tmp_path))
    here = {s.entry.key: s.state for s in weight_states("llamagen*")}
    assert here[KEY] == "present"
    assert here["vq_ds8_c2i.pt"] == "missing"
    assert weight_states(KEY, digest=True)[0].sha256 == hashlib.sha256(b"x").hexdigest()
    with pytest.raises(EvalkitError, match="no weight file or model"):
        weight_states("nothing*")


def test_fetching_gives_a_path_or_a_sentence(tmp_path):
    outcomes = {entry.key: outcome for entry, outcome in fetch("ef*")}
    assert outcomes["efficientnet-lite0"].is_file()
    assert "--weights" in fetch(KEY)[0][1]
    with pytest.raises(EvalkitError, match="no weight file or model"):
        fetch("nothing*")


def test_nothing_is_fetched_from_an_address_where_the_environment_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("EVALKIT_CACHE", str(tmp_path))
    monkeypatch.setenv("EVALKIT_OFFLINE", "1")
    monkeypatch.setattr("urllib.request.urlopen", lambda *given, **named: pytest.fail("it was asked"))
    assert from_url("http://127.0.0.1:9/file") is None


@pytest.mark.parametrize("place", ["127.0.0.1:9", "127.0.0.1:999999", "[::", "a" * 300, "127.0.0.1:x"])
def test_a_host_that_does_not_answer_costs_no_client(place, monkeypatch):
    monkeypatch.delenv("EVALKIT_OFFLINE")
    monkeypatch.setattr("urllib.request.getproxies", dict)
    monkeypatch.setattr("urllib.request.urlopen", lambda *given, **named: pytest.fail("it was asked"))
    assert from_url(f"https://{place}/file") is None


def test_a_host_is_connected_to_once_and_a_proxy_is_believed(monkeypatch):
    asked = []

    def refused(address, timeout):
        asked.append(address)
        raise OSError

    monkeypatch.setattr("socket.create_connection", refused)
    monkeypatch.setattr("urllib.request.getproxies", dict)
    assert [answers(f"https://once.invalid/{name}") for name in "ab"] == [False, False]
    assert asked == [("once.invalid", 443)]
    monkeypatch.setattr("urllib.request.getproxies", lambda: {"https": "http://proxy"})
    assert answers("https://once.invalid/a")
