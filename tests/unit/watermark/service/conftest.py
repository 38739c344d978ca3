"""Images of blocks with and without a mark of world-vq, a key ring that knows it, and a service in a thread."""

import threading
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from helpers.keys import known_key
from PIL import Image

from evalkit.jobs.options import RunOptions
from evalkit.watermark.embed import Nudge, embed_watermark
from evalkit.watermark.methods import read_mark
from evalkit.watermark.service.engine import Settings
from evalkit.watermark.service.ring import Entry, Ring
from evalkit.watermark.service.ring_file import write_ring
from evalkit.watermark.service.server import Address, Allowed, make_server, url_of
from evalkit.watermark.spec import MarkSpec


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """Keys one.key, two.key and three.key, four plain images, and the same with the mark of the first key."""
    home = tmp_path_factory.mktemp("made")
    keys = {name: known_key(home / f"{name}.key") for name in ("one", "two", "three")}
    rng = np.random.default_rng(0)
    (home / "plain").mkdir()
    for number in range(4):
        image = np.full((64, 64, 3), rng.integers(60, 200, 3), np.uint8)
        image[16:48, 16:48] = rng.integers(60, 200, 3)
        Image.fromarray(image).save(home / "plain" / f"{number}.png")
    nudge = Nudge(steps=15, levels=24, psnr=28)
    options = RunOptions(out=home / "run")
    run = embed_watermark(
        home / "plain", keys["one"], "world-vq", mark=MarkSpec("places"), nudge=nudge, options=options
    )
    mark = read_mark(run.path)
    marked, plain = (
        [p.read_bytes() for p in sorted(folder.iterdir())] for folder in (run.path / "images", home / "plain")
    )

    def entry(name, **changed):
        given = {"id": name, "key_id": keys[name].id, "key": str(home / f"{name}.key"), "mark": mark.spec}
        return Entry(**{**given, "tokenizer": mark.tokenizer, **changed})

    return SimpleNamespace(home=home, keys=keys, run=run, mark=mark, marked=marked, plain=plain, entry=entry)


@pytest.fixture
def ring(made, tmp_path):
    """A ring of two keys, of which the first marked the images."""
    path = tmp_path / "ring.json"
    write_ring(path, Ring((made.entry("one"), made.entry("two"))))
    return path


@pytest.fixture
def settings(tmp_path):
    return Settings(cache=str(tmp_path / "codes.sqlite"))


@pytest.fixture
def served(ring, settings, tmp_path):
    """Call it with what clients may ask; it gives the address, the log, and the server to be stopped."""
    running = []

    def start(allowed=None, proxies="", **changed):
        how = replace(settings, **changed)
        server, listening = make_server(
            ring, tmp_path / "log.jsonl", how, Address(port=0, proxies=proxies), allowed or OPEN
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        running.append((server, thread))

        def stop():
            server.should_exit = True
            thread.join(60)

        held = server.server_state.connections
        return SimpleNamespace(url=url_of(listening), log=tmp_path / "log.jsonl", ring=ring, stop=stop, held=held)

    yield start
    for server, thread in running:
        server.should_exit = True
        thread.join(60)


OPEN = Allowed(per_minute=1e6, burst=10_000)
