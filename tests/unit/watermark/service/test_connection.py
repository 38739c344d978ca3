"""Clients that hold connections and send or take nothing are let go; others go on."""

import socket
import time
import urllib.parse

import pytest
from helpers.asked import ask

from evalkit.watermark.service.connection import Bounded


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(Bounded, "wait", 0.5)
    monkeypatch.setattr(Bounded, "stuck", 0.5)


def connected(url):
    host, port = urllib.parse.urlsplit(url).netloc.split(":")
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.settimeout(60)
    raw.connect((host, int(port)))
    return raw


def let_go(raw):
    """Whether the server ends the connection, no matter what it sends before."""
    try:
        while raw.recv(65536):
            pass
    except TimeoutError:
        return False
    except ConnectionError:
        pass
    return True


def cut_off(raw, piece):
    """Whether the server ends the connection of a client that goes on sending, a piece at a time."""
    begun = time.monotonic()
    while time.monotonic() < begun + 60:
        try:
            raw.sendall(piece)
        except OSError:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize(
    "sent",
    [b"", b"POST /v1/image HTTP/1.1\r\nhost: a\r\n", b"GET /health HTTP/1.1\r\nhost: a\r\n\r\nGET /hea"],
    ids=["nothing", "part of a head", "part of a second head"],
)
def test_a_connection_without_a_whole_request_is_closed(served, quick, sent):
    url = served().url
    with connected(url) as raw:
        raw.sendall(sent)
        assert let_go(raw)
    assert ask(url, "GET", "/health")[0] == 200


def test_bytes_that_drip_do_not_make_the_wait_longer(served, quick):
    url = served().url
    with connected(url) as raw:
        raw.sendall(b"GET /health HTTP/1.1\r\n")
        assert cut_off(raw, b"x: y\r\n")


def test_a_body_that_was_refused_does_not_hold_the_connection(served, quick):
    url = served().url
    with connected(url) as raw:
        raw.sendall(b"POST /nothing HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\n")
        assert cut_off(raw, b"x")


def until(holds):
    deadline = time.monotonic() + 60
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.05)
    return holds()


def test_a_client_that_takes_nothing_is_let_go(served, quick, monkeypatch):
    monkeypatch.setattr(Bounded, "wait", 1e6)
    service = served()
    with connected(service.url) as raw:
        raw.settimeout(1)
        try:
            for _ in range(2000):
                raw.sendall(b"GET /openapi.json HTTP/1.1\r\nhost: a\r\n\r\n")
        except OSError:
            pass  # the server reads no more while it cannot write
        assert until(lambda: service.held)
        assert until(lambda: not service.held)
    assert ask(service.url, "GET", "/health")[0] == 200
