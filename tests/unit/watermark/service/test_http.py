"""The service as clients meet it: a real server on a socket of this machine, and a real HTTP client."""

import gzip
import hashlib
import json
import random
import re
import socket
import struct
import threading
import time
import urllib.parse
import zlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import jsonschema
import pytest
from helpers.asked import ask
from helpers.mutated import mutated

from evalkit.errors import EvalkitError
from evalkit.watermark.service.answers import schema
from evalkit.watermark.service.log import AuditLog, read_log
from evalkit.watermark.service.ring import Ring
from evalkit.watermark.service.ring_file import read_ring, write_ring
from evalkit.watermark.service.server import Address, Allowed

FORM = {"content-type": "multipart/form-data; boundary=XX"}


def form(*files):
    parts = (
        b'--XX\r\nContent-Disposition: form-data; name="image"; filename="%s"\r\n\r\n%s\r\n' % (name.encode(), data)
        for name, data in files
    )
    return b"".join(parts) + b"--XX--\r\n"


def bomb():
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IEND", b"")


def test_one_image_and_a_batch_get_answers_in_the_interchange_form(served, made):
    url = served().url
    status, headers, body = ask(url, "POST", "/v1/image", made.marked[0])
    assert (status, json.loads(body)["verdict"]) == (200, "marked")
    assert headers["x-content-type-options"] == "nosniff"
    assert "server" not in {name.lower() for name in headers}
    files = [("a.png", made.marked[1]), ("b.png", made.plain[0]), ("c.png", b"no image")]
    status, headers, body = ask(url, "POST", "/v1/images", form(*files), FORM)
    lines = [json.loads(line) for line in body.splitlines()]
    assert headers["content-type"].startswith("application/x-ndjson")
    assert [each["image"]["id"] for each in lines] == ["a.png", "b.png", "c.png"]
    assert [each["verdict"] for each in lines] == ["marked", "not found", "could not be read"]
    for each in lines:
        jsonschema.validate(each, schema())


def test_a_batch_is_judged_by_decoys_where_the_operator_wants_it_and_one_image_is_not(served, made):
    service = served(decoys=True)
    names = [f"{number}.png" for number in range(5)]
    data = form(*zip(names, (*made.marked[:2], *made.plain[:2], b"no image"), strict=True))
    _, _, body = ask(service.url, "POST", "/v1/images", data, FORM)
    lines = [json.loads(line) for line in body.splitlines()]
    assert [each["image"]["id"] for each in lines] == names
    assert [each["verdict"] for each in lines] == ["marked"] * 2 + ["not found"] * 2 + ["could not be read"]
    assert [each["false_positives"]["basis"] for each in lines] == ["decoys"] * 4 + ["exact"]
    for each in lines:
        jsonschema.validate(each, schema())
    _, _, body = ask(service.url, "POST", "/v1/image", made.marked[0])
    assert json.loads(body)["false_positives"]["basis"] == "exact"
    _, _, body = ask(service.url, "POST", "/v1/images", form(("a.png", made.marked[0])), FORM)
    assert json.loads(body)["false_positives"]["basis"] == "exact"
    service.stop()
    assert [each["verdict"] for each in read_log(service.log) if each["event"] == "answer"] == [
        *[each["verdict"] for each in lines], "marked", "marked",
    ]  # fmt: skip


def test_health_the_openapi_document_the_schema_and_the_page_are_there(served, ring):
    url = served().url
    assert json.loads(ask(url, "GET", "/health")[2]) | {"evalkit": ""} == {
        "status": "ok", "evalkit": "", "ring": read_ring(ring).digest
    }  # fmt: skip
    api = json.loads(ask(url, "GET", "/openapi.json")[2])
    assert set(api["paths"]) == {"/v1/image", "/v1/images", "/health"}
    answered = api["paths"]["/v1/image"]["post"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert answered["properties"] == schema()["properties"]
    assert json.loads(ask(url, "GET", "/v1/schema")[2]) == schema()
    status, headers, page = ask(url, "GET", "/")
    assert status == 200
    assert b"/v1/images" in page
    assert b"src=" not in page
    assert "default-src 'none'" in headers["content-security-policy"]


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status"),
    [
        ("GET", "/nothing", None, {}, 404),
        ("GET", "/v1/image", None, {}, 405),
        ("POST", "/v1/image", b"", {}, 400),
        ("POST", "/v1/images", b"x", {}, 415),
        ("POST", "/v1/images", b"x", FORM, 400),
        ("POST", "/v1/images", b"x", {"content-type": "multipart/form-data"}, 400),
        ("POST", "/v1/images", b'--XX\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--XX--\r\n', FORM, 400),
        ("POST", "/v1/images", form(*[("a", b"x")] * 65), FORM, 400),
        ("POST", "/v1/image", b"x" * 2001, {}, 413),
        ("POST", "/v1/images", form(("a", b"x" * 2001)), FORM, 413),
    ],
)
def test_what_is_asked_wrongly_is_one_sentence(served, method, path, body, headers, status):
    found, _, said = ask(served(Allowed(1e6, 10_000, 2000, 64)).url, method, path, body, headers)
    assert found == status
    assert set(json.loads(said)) == {"error"}
    assert "\n" not in json.loads(said)["error"]


def test_large_bodies_are_refused_before_they_have_arrived(served, made):
    url = served(Allowed(1e6, 10_000, 2000, 2)).url
    host, port = urllib.parse.urlsplit(url).netloc.split(":")
    for head in (b"content-length: 99999999999", b"transfer-encoding: chunked"):
        with socket.create_connection((host, int(port)), 120) as raw:
            raw.sendall(b"POST /v1/image HTTP/1.1\r\nhost: a\r\n" + head + b"\r\n\r\n")
            try:
                if b"chunked" in head:
                    raw.sendall((b"400\r\n" + b"x" * 1024 + b"\r\n") * 4)
                assert b" 413 " in raw.recv(65536)
            except ConnectionError:
                pass
    assert ask(url, "GET", "/health")[0] == 200


def test_images_of_too_many_pixels_are_not_decoded(served):
    status, _, body = ask(served().url, "POST", "/v1/image", bomb())
    assert status == 200
    assert json.loads(body)["verdict"] == "could not be read"


def test_a_client_that_asks_too_often_is_told_when_to_come_back(served, made):
    url = served(Allowed(per_minute=1, burst=3)).url
    files = [("a.png", made.plain[0])] * 2
    assert ask(url, "POST", "/v1/image", made.plain[0])[0] == 200
    assert ask(url, "POST", "/v1/images", form(*files), FORM)[0] == 200
    status, headers, _ = ask(url, "POST", "/v1/image", made.plain[0])
    assert status == 429
    assert 1 < int(headers["retry-after"]) <= 61
    assert ask(url, "GET", "/health")[0] == 200


def test_fuzzed_requests_leave_it_answering_and_learn_nothing(served, made, ring, capfd):
    write_ring(ring, Ring((made.entry("one", search="template,flip"), made.entry("two"))))
    service = served(decoys=True)
    host, port = urllib.parse.urlsplit(service.url).netloc.split(":")
    whole = form(("a.png", made.plain[0][:300]))
    right = b"POST /v1/images HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-type: %s\r\ncontent-length: %d\r\n\r\n" % (
        FORM["content-type"].encode(), len(whole)
    )  # fmt: skip
    for seed in range(120):
        with socket.create_connection((host, int(port)), 120) as raw:
            raw.settimeout(0.2)
            try:
                raw.sendall(mutated(right + whole, seed))
                raw.shutdown(socket.SHUT_WR)
                answer = raw.recv(65536)
            except OSError:
                continue
            assert not answer or answer.startswith(b"HTTP/1.1 ")
            assert b"Traceback" not in answer
            assert not answer.startswith(b"HTTP/1.1 500")
    for seed in range(60):
        status, _, body = ask(
            service.url, "POST", "/v1/image", mutated(made.run.path.joinpath("images/0.png").read_bytes(), seed)
        )
        assert status in (200, 400)
        assert status == 400 or json.loads(body)["format"]
    data = [made.marked[0], *(mutated(made.marked[1], seed) for seed in range(9))]
    _, _, body = ask(service.url, "POST", "/v1/images", form(*zip("abcdefghij", data, strict=True)), FORM)
    assert [json.loads(line)["image"]["id"] for line in body.splitlines()] == list("abcdefghij")
    assert json.loads(body.splitlines()[0])["verdict"] == "marked"
    assert json.loads(ask(service.url, "POST", "/v1/image", made.marked[0])[2])["verdict"] == "marked"
    service.stop()
    told = capfd.readouterr()
    log = service.log.read_text()
    for key in made.keys.values():
        assert key.secret.hex() not in told.out + told.err + log
    assert "log10" not in log
    assert all(set(each) <= LOGGED for each in read_log(service.log))


LOGGED = {"time", "event", "sha256", "verdict", "key_ids", "keys", "ring", "entries", "evalkit"}


def test_a_hundred_clients_get_right_answers_while_keys_rotate_and_all_are_logged(served, made):
    service = served()
    digests = [read_ring(service.ring).digest]
    seen, lock, rotated = [], threading.Lock(), threading.Event()

    def client(number):
        """Ask until an answer is by the last ring."""
        rng, found = random.Random(number), []
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            marked = rng.random() < 0.5
            status, _, body = ask(service.url, "POST", "/v1/image", rng.choice(made.marked if marked else made.plain))
            said = json.loads(body)
            found.append((status, marked, said["verdict"], said["ring"], said["image"]["sha256"]))
            if rotated.is_set() and said["ring"] == digests[-1]:
                break
            time.sleep(0.3)
        with lock:
            seen.extend(found)

    with ThreadPoolExecutor(100) as pool:
        asked = [pool.submit(client, number) for number in range(100)]
        old = read_ring(service.ring)
        retired = replace(old.find("one"), state="retired")
        write_ring(service.ring, old.changed(retired).added(made.entry("three")))
        digests.append(read_ring(service.ring).digest)
        rotated.set()
        for each in asked:
            each.result()
    service.stop()
    assert {each[0] for each in seen} == {200}
    assert all(verdict == ("marked" if marked else "not found") for _, marked, verdict, _, _ in seen)
    assert {ring for *_, ring, _ in seen} <= set(digests)
    entries = list(read_log(service.log))
    logged = [each for each in entries if each["event"] == "answer"]
    assert sorted(each["sha256"] for each in logged) == sorted(sha256 for *_, sha256 in seen)
    named = next(place for place, each in enumerate(entries) if each["event"] == "ring")
    assert all(each["ring"] == digests[0] for each in entries[:named])
    assert all(each.get("ring", digests[1]) == digests[1] for each in entries[named:])
    assert entries[-1]["event"] == "stop"


def test_a_ring_that_breaks_or_revokes_while_it_serves(served, made, caplog):
    service = served()
    whole = service.ring.read_bytes()
    for break_it in (lambda: service.ring.write_text("[" * 100_000), service.ring.unlink):
        caplog.clear()
        break_it()
        for _ in range(600):
            if caplog.records:
                break
            time.sleep(0.1)
        time.sleep(2)
        assert len(caplog.records) == 1  # and not each second
        assert "was changed and is not used" in caplog.text
    assert json.loads(ask(service.url, "POST", "/v1/image", made.marked[0])[2])["verdict"] == "marked"
    service.ring.write_bytes(whole)
    write_ring(service.ring, Ring((made.entry("one", state="revoked"),)))
    digest = read_ring(service.ring).digest
    for _ in range(600):
        if json.loads(ask(service.url, "GET", "/health")[2])["ring"] == digest:
            break
        time.sleep(0.1)
    assert json.loads(ask(service.url, "POST", "/v1/image", made.marked[0])[2])["verdict"] == "not found"


def follows(api, method, path, answer):
    """Whether an answer is one that the OpenAPI document tells of."""
    status, headers, body = answer
    told = api["paths"][path][method.lower()]["responses"][str(status)]["content"]
    form = told[headers["content-type"].partition(";")[0]]["schema"]
    for each in body.splitlines() if status == 200 and path == "/v1/images" else [body]:
        jsonschema.validate(json.loads(each), form)
    return status


def test_every_answer_is_one_that_the_openapi_document_tells_of(served, made, monkeypatch):
    url = served(Allowed(1e-3, 12, 20_000, 8)).url
    api = json.loads(ask(url, "GET", "/openapi.json")[2])
    jsonschema.Draft202012Validator.check_schema(schema())

    def said(method, path, body=None, headers=None):
        return follows(api, method, path, ask(url, method, path, body, headers))

    assert said("GET", "/health") == 200
    one, several = "/v1/image", "/v1/images"
    files = [("a.png", made.marked[0]), ("b.png", made.plain[0]), ("c.png", b"no image")]
    assert [said("POST", one, data) for _, data in files] == [200] * 3
    assert said("POST", several, form(*files), FORM) == 200
    assert [said("POST", one, data) for data in (b"", b"x" * 20_001)] == [400, 413]
    assert [said("POST", several, b"x", headers) for headers in (FORM, {})] == [400, 415]
    with monkeypatch.context() as full:
        full.setattr(AuditLog, "write", lambda log, entries: (_ for _ in ()).throw(OSError(28, "No space left")))
        assert said("POST", one, made.plain[0]) == 503
        answer = ask(url, "POST", several, form(*files[:1]), FORM)
        assert follows(api, "POST", several, answer) == 200
        assert set(json.loads(answer[2])) == {"error", "image"}
    assert said("POST", one, made.plain[0]) == 429


def test_no_compressed_body_is_unpacked(served):
    packed = gzip.compress(bytes(2**24))
    headers = {"content-encoding": "gzip"}
    status, _, body = ask(served().url, "POST", "/v1/image", packed, headers)
    assert status == 200
    assert json.loads(body)["image"]["sha256"] == hashlib.sha256(packed).hexdigest()
    assert json.loads(body)["verdict"] == "could not be read"


def test_clients_behind_a_proxy_are_told_apart_and_cannot_pass_for_another(served, made):
    def asks(url, *hosts):
        return [ask(url, "POST", "/v1/image", made.plain[0], {"x-forwarded-for": each})[0] for each in hosts]

    behind = served(Allowed(per_minute=1, burst=1), proxies="127.0.0.1, 10.0.0.0/8")
    assert asks(behind.url, "9.9.9.1", "9.9.9.1", "9.9.9.2:4711", "9.9.9.3, 9.9.9.1, 10.1.1.1") == [200, 429, 200, 429]
    behind.stop()
    assert asks(served(Allowed(per_minute=1, burst=1)).url, "9.9.9.1", "9.9.9.2") == [200, 429]


@pytest.mark.parametrize("proxies", ["proxy.example", "*", "10.0.0.1,x"])
def test_a_proxy_is_named_by_its_address(proxies):
    with pytest.raises(EvalkitError, match="is no address of a proxy"):
        Address(proxies=proxies)


def test_a_form_of_more_images_than_a_client_may_ask_about_is_told_so(served, made):
    files = [("a.png", made.plain[0])] * 3
    status, headers, _ = ask(served(Allowed(60, 2, images=64)).url, "POST", "/v1/images", form(*files), FORM)
    assert (status, "retry-after" in headers) == (400, False)


def test_a_client_that_leaves_within_a_form_costs_nobody_an_answer(served, made):
    service = served()
    host, port = urllib.parse.urlsplit(service.url).netloc.split(":")
    body = form(*[("a.png", data) for data in (*made.marked, *made.plain) * 4])
    head = b"POST /v1/images HTTP/1.1\r\nhost: a\r\ncontent-type: %s\r\ncontent-length: %d\r\n\r\n" % (
        FORM["content-type"].encode(), len(body)
    )  # fmt: skip
    for whole in (True, False):
        with socket.create_connection((host, int(port)), 120) as raw:
            raw.sendall(head + (body if whole else body[: len(body) // 2]))
            told = raw.recv(16_384) if whole else b""
        status, _, line = ask(service.url, "POST", "/v1/images", form(("b.png", made.marked[1])), FORM)
        assert (status, json.loads(line)["verdict"]) == (200, "marked")
    service.stop()
    logged = Counter(each["sha256"] for each in read_log(service.log) if each["event"] == "answer")
    assert all(logged[each.decode()] >= count for each, count in Counter(re.findall(SHA256, told)).items())
    assert logged.total() <= 32 + 2  # nothing of the form that did not arrive


SHA256 = rb'"sha256":"([0-9a-f]{64})"'
