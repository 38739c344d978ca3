import base64
import io
import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar

import numpy as np
import pytest
from PIL import Image as Pillow

from evalkit.errors import EvalkitError
from evalkit.generators.base import Failed, Image, Request
from evalkit.generators.registry import load_generator

WORKER = """
import base64, io, json, os, sys, time
from PIL import Image
print("loading weights")
print("a warning", file=sys.stderr, flush=True)
state = sys.argv[1]
for line in sys.stdin:
    request = json.loads(line)
    what, known = request["prompt"], os.path.join(state, request["id"])
    again = os.path.exists(known)
    open(known, "w").close()
    if what == "die" or (what == "die once" and not again):
        print("out of memory", file=sys.stderr, flush=True)
        os._exit(3)
    if what == "hang":
        time.sleep(60)
    if what == "rubbish":
        print('{"id": 1', flush=True)
        print(json.dumps({"id": request["id"], "image": "none"}), flush=True)
        continue
    if what == "broken":
        print(json.dumps({"id": request["id"], "image_base64": base64.b64encode(b"no image").decode()}), flush=True)
        continue
    if what == "error":
        print(json.dumps({"id": request["id"], "error": "unsafe prompt"}), flush=True)
        continue
    if what == "no file":
        print(json.dumps({"id": request["id"], "path": os.path.join(state, "nowhere.png")}), flush=True)
        continue
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16), (request["seed"] % 256, 0, 0)).save(buffer, "PNG")
    if what == "file":
        path = os.path.join(state, request["id"] + ".png")
        open(path, "wb").write(buffer.getvalue())
        print(json.dumps({"id": request["id"], "path": path}), flush=True)
        continue
    if what == "nan":
        text = base64.b64encode(buffer.getvalue()).decode()
        print('{"id": "%s", "image_base64": "%s", "loss": NaN, "more": [1e999, 2.5]}' % (request["id"], text), flush=True)
        continue
    print("chatter")
    reply = {"id": request["id"], "image_base64": base64.b64encode(buffer.getvalue()).decode(), "evaluations": 7, "pid": 1}
    print(json.dumps(reply), flush=True)
"""


@pytest.fixture
def worker(tmp_path):
    (tmp_path / "worker.py").write_text(WORKER)
    (tmp_path / "state").mkdir()
    made = load_generator(f"command:{sys.executable} {tmp_path}/worker.py {tmp_path}/state")
    made.attach(tmp_path)
    yield made
    made.close()


def test_every_way_to_fail_costs_its_own_request_only(worker, tmp_path):
    worker.timeout = 2.0
    asked = ["fine", "die", "fine", "hang", "rubbish", "broken", "error", "no file", "die once", "file", "fine"]
    worker.tries = 2
    done = worker.generate([Request(str(i), prompt=what, seed=i) for i, what in enumerate(asked)])
    good = {i: each for i, each in enumerate(done) if isinstance(each, Image)}
    assert sorted(good) == [0, 2, 8, 9, 10]
    assert all(tuple(each.pixels[0, 0]) == (i, 0, 0) for i, each in good.items())
    assert good[0].evaluations == 7
    assert good[0].notes == {"pid": 1}
    reasons = {asked[i]: each.reason for i, each in enumerate(done) if isinstance(each, Failed)}
    assert "code 3" in reasons["die"]
    assert "out of memory" in reasons["die"]
    assert "within 2 s" in reasons["hang"]
    assert "neither path nor image_base64" in reasons["rubbish"]
    assert "no image" in reasons["broken"]
    assert "unsafe prompt" in reasons["error"]
    assert "cannot be read" in reasons["no file"]
    log = (tmp_path / "worker.log").read_text()
    assert "a warning" in log
    assert "loading weights" in log
    assert '{"id": 1' in log


def test_a_note_that_is_no_number_costs_neither_the_image_nor_the_run(worker, tmp_path):
    worker.timeout = 10.0
    (done,) = worker.generate([Request("0", prompt="nan", seed=1)])
    assert done.notes == {"loss": None, "more": [None, 2.5]}


def test_a_program_that_is_not_there_is_said_at_once():
    with pytest.raises(EvalkitError, match="no-such-program"):
        load_generator("command:no-such-program --flag").generate([Request("0", prompt="x")])
    with pytest.raises(EvalkitError, match="names no program"):
        load_generator("command:")


def test_a_program_ends_with_its_runner(worker):
    worker.generate([Request("0", prompt="fine")])
    program = worker._program
    worker.close()
    assert not program.alive


def test_images_of_a_folder_are_found_by_prompt_and_sample(tmp_path):
    names = ["a-00", "a_1", "b/0", "c/samples/0002", "d"]
    for number, name in enumerate(names):
        path = tmp_path / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Pillow.fromarray(np.full((8, 8, 3), number, np.uint8)).save(path)
    made = load_generator(f"folder:{tmp_path}")
    done = made.generate(
        [Request(f"{p}-{k:02d}") for p, k in (("a", 0), ("a", 1), ("b", 0), ("c", 2), ("d", 0), ("d", 1))]
    )
    assert [int(each.pixels[0, 0, 0]) for each in done[:5]] == [0, 1, 2, 3, 4]
    assert isinstance(done[5], Failed)
    assert "d_1.*" in done[5].reason
    with pytest.raises(EvalkitError, match="no folder"):
        load_generator(f"folder:{tmp_path}/nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(EvalkitError, match="holds no image"):
        load_generator(f"folder:{tmp_path}/empty")


class Endpoint(BaseHTTPRequestHandler):
    script: ClassVar[list] = []
    seen: ClassVar[list] = []
    files: ClassVar[dict] = {}

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        type(self).seen.append((self.path, body, self.headers.get("Authorization")))
        code, answer = type(self).script.pop(0)
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(code)
        if code == 429:
            self.send_header("Retry-After", "0")
        if 300 <= code < 400:
            self.send_header("Location", "/v1/elsewhere")
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(type(self).files[self.path])

    def log_message(self, *arguments):
        pass


@pytest.fixture
def endpoint(monkeypatch):
    monkeypatch.setattr("evalkit.remote.WAIT", 0.0)
    monkeypatch.setenv("EVALKIT_API_KEY", "secret-key")
    Endpoint.script, Endpoint.seen = [], []
    server = HTTPServer(("127.0.0.1", 0), Endpoint)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()


def answer():
    buffer = io.BytesIO()
    Pillow.new("RGB", (16, 16), (9, 8, 7)).save(buffer, "PNG")
    return {"data": [{"b64_json": base64.b64encode(buffer.getvalue()).decode()}], "usage": {"output_tokens": 5}}


def test_an_endpoint_is_asked_again_while_it_is_busy(endpoint):
    Endpoint.script = [(429, {"error": {"message": "slow down"}}), (503, b"oops"), (200, answer())]
    made = load_generator(f"http:{endpoint}#painter?size=16x16&price=0.04&seed=1")
    (done,) = made.generate([Request("0", prompt="an apple", seed=3)])
    assert tuple(done.pixels[0, 0]) == (9, 8, 7)
    assert done.notes == {"attempts": 3, "usage": {"output_tokens": 5}, "cost": 0.04}
    path, body, key = Endpoint.seen[-1]
    assert path == "/v1/images/generations"
    assert key == "Bearer secret-key"
    assert body == {"model": "painter", "prompt": "an apple", "n": 1, "size": "16x16", "seed": 3}
    assert len(Endpoint.seen) == 3


def test_a_refusal_is_final_and_never_shows_the_key(endpoint):
    Endpoint.script = [(400, {"error": {"message": "prompt not allowed"}}), (200, {"data": []}), (200, {"data": []})]
    made = load_generator(f"http:{endpoint}#painter?in_flight=1")
    refused, empty = made.generate([Request("0", prompt="bad"), Request("1", prompt="fine")])
    assert "answers 400: prompt not allowed" in refused.reason
    assert "secret" not in refused.reason
    assert "b64_json" in empty.reason
    assert len(Endpoint.seen) == 2  # an answer is paid for, so it is not asked for again


def forms(text, address):
    wrapped = "\r\n".join(text[k : k + 76] for k in range(0, len(text), 76))
    return [
        {"b64_json": wrapped},
        {"b64_json": f"data:image/png;base64,{text}"},
        {"b64_json": text.rstrip("=")},
        {"b64_json": None, "url": f"data:image/png;base64,{text}"},
        {"url": f"{address}/file.png"},
    ]


@pytest.mark.parametrize("form", range(5))
def test_an_image_may_come_in_any_form_that_endpoints_use(form, endpoint):
    text = answer()["data"][0]["b64_json"]
    Endpoint.files = {"/v1/file.png": base64.b64decode(text)}
    Endpoint.script = [(200, {"data": [forms(text, endpoint)[form]]})]
    (done,) = load_generator(f"http:{endpoint}#painter?in_flight=1").generate([Request("0", prompt="x")])
    assert tuple(done.pixels[0, 0]) == (9, 8, 7)


def test_a_size_other_than_asked_is_said(endpoint):
    Endpoint.script = [(200, answer())]
    (done,) = load_generator(f"http:{endpoint}#painter?size=32x32").generate([Request("0", prompt="x")])
    assert done.notes["size"] == "16x16, where 32x32 was asked for"


def test_a_redirect_is_not_followed_and_takes_no_key_along(endpoint):
    Endpoint.script = [(302, b""), (307, b"")]
    made = load_generator(f"http:{endpoint}#painter?in_flight=1").generate(
        [Request(str(k), prompt="x") for k in range(2)]
    )
    assert all("redirect, which is not followed" in each.reason for each in made)
    assert len(Endpoint.seen) == 2


def test_the_key_of_openai_does_not_go_to_another_endpoint(endpoint, monkeypatch):
    monkeypatch.delenv("EVALKIT_API_KEY")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-somebody-elses-key")
    Endpoint.script = [(200, answer())]
    load_generator(f"http:{endpoint}#painter?in_flight=1").generate([Request("0", prompt="x")])
    assert Endpoint.seen[-1][2] is None


def test_a_key_that_an_endpoint_repeats_is_stored_nowhere(endpoint):
    echoed = {**answer(), "usage": {"key": "Bearer secret-key"}}
    Endpoint.script = [(200, echoed), (400, {"error": {"message": "bad key secret-key"}})]
    good, bad = load_generator(f"http:{endpoint}#painter?in_flight=1").generate(
        [Request(str(k), prompt="x") for k in range(2)]
    )
    assert "secret-key" not in f"{good.notes} {bad.reason}"


def test_an_endpoint_that_trickles_is_left_at_the_deadline(endpoint):
    from evalkit.remote import RemoteError, post_json

    Endpoint.script = [(503, b"busy")] * 5
    with pytest.raises(RemoteError, match=r"no more than 0.5 s are waited"):
        post_json(f"{endpoint}/x", {}, seconds=0.5, sleep=lambda pause: time.sleep(0.2))
    assert len(Endpoint.seen) < 5


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "http://127.0.0.1:9/x", "http://10.0.0.1/x", "ftp://h/x", "http://a:b@h/x"]
)
def test_an_endpoint_in_the_world_cannot_name_files_or_addresses_in_here(url):
    from evalkit.transport import NoReply, get

    with pytest.raises(NoReply, match="the answer names"):
        get(url, asked="https://api.example.org/v1", deadline=time.monotonic() + 1, timeout=1, most_bytes=10)


def test_an_endpoint_that_is_down_is_said(monkeypatch):
    monkeypatch.setattr("evalkit.remote.WAIT", 0.0)
    (done,) = load_generator("http:http://127.0.0.1:9/v1#painter").generate([Request("0", prompt="x")])
    assert "gave no answer" in done.reason


@pytest.mark.parametrize(
    "name", ["http:https://host/v1", "http:host/v1#m", "http:https://me:key@host/v1#m", "http:https://h#m?price=x"]
)
def test_an_address_that_cannot_be_asked_is_refused(name):
    with pytest.raises(EvalkitError):
        load_generator(name)
