"""Endpoints of vLLM-Omni and SGLang: a server that reads and refuses requests as theirs do, and every way to fail."""

from __future__ import annotations

import base64
import email
import email.policy
import io
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import numpy as np
import pytest
from PIL import Image as Pillow

from evalkit.errors import EvalkitError
from evalkit.generators.base import Failed, Image, Request
from evalkit.generators.endpoints import parse_address, served_models
from evalkit.generators.registry import load_generator
from evalkit.jobs.options import RunOptions
from evalkit.tasks.generate import generate_images

NUMBERS = {"num_inference_steps": int, "guidance_scale": float, "true_cfg_scale": float, "seed": int, "n": int}
TEXTS = {"prompt", "model", "size", "response_format", "negative_prompt", "user"}


def png(colour: tuple[int, int, int], side: int = 8) -> bytes:
    buffer = io.BytesIO()
    Pillow.new("RGB", (side, side), colour).save(buffer, "PNG")
    return buffer.getvalue()


class Server(BaseHTTPRequestHandler):
    """Answers by what the prompt says; options of a wrong kind are a 422, as FastAPI gives it."""

    protocol_version = "HTTP/1.1"
    asked: ClassVar[list[dict[str, Any]]] = []
    counts: ClassVar[dict[str, int]] = {}
    busy: ClassVar[list[int]] = [0, 0]  # now, at most
    lock: ClassVar[threading.Lock] = threading.Lock()

    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        edits = self.path.endswith("/images/edits")
        body = self.form(data) if edits else json.loads(data)
        with self.lock:
            self.asked.append({**body, "path": self.path})
            self.counts[body["prompt"]] = self.counts.get(body["prompt"], 0) + 1
            self.busy[0] += 1
            self.busy[1] = max(self.busy)
        self.answer(body)

    def form(self, data: bytes) -> dict[str, Any]:
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        found: dict[str, Any] = {}
        for part in email.message_from_bytes(head + data, policy=email.policy.HTTP).iter_parts():
            name, value = part.get_param("name", header="content-disposition"), part.get_payload(decode=True)
            found[name] = value if part.get_filename() else value.decode()
            if name in NUMBERS:
                found[name] = NUMBERS[name](found[name])
        return found

    def answer(self, body: dict[str, Any]) -> None:
        prompt, again = body["prompt"], self.counts[body["prompt"]] > 1
        wrong = [k for k, v in body.items() if k in TEXTS and not isinstance(v, str)]
        wrong += [
            k for k, v in body.items() if k in NUMBERS and (isinstance(v, bool) or not isinstance(v, int | float))
        ]
        if wrong:
            return self.say(422, {"detail": [{"loc": ["body", wrong[0]], "msg": "wrong kind"}]})
        if prompt == "refused":
            return self.say(400, {"detail": "the prompt is not allowed"})
        if prompt in ("busy", "broken") and not again:
            return self.say(429 if prompt == "busy" else 500, {"detail": "later"}, {"Retry-After": "0"})
        if prompt == "always broken":
            return self.say(500, {"detail": "the engine has died"})
        if prompt == "malformed":
            return self.say(200, b'{"data": [{"b64_json": ')
        if prompt == "no image":
            return self.say(200, {"created": 1, "data": [{"b64_json": base64.b64encode(b"no png").decode()}]})
        if prompt == "slow":
            time.sleep(0.1)
        data = png((40, 50, 60) if "image" in body else (1, 2, 3), 16 if prompt == "wrong size" else 8)
        if prompt == "by address":
            one: dict[str, Any] = {"url": "/v1/images/7/content", "b64_json": None}
        else:
            one = {"b64_json": base64.b64encode(data).decode(), "url": None, "revised_prompt": None}
        if prompt == "rewritten":
            one["revised_prompt"] = "a longer text"
        return self.say(200, {"created": 1, "data": [one]})

    def do_GET(self) -> None:
        self.say(200 if self.path == "/v1/images/7/content" else 404, png((7, 7, 7)))

    def say(self, code: int, found: Any, headers: dict[str, str] | None = None) -> None:
        if self.command == "POST":  # done before the reply leaves: the next request may be here before `say` ends
            with self.lock:
                self.busy[0] -= 1
        data = found if isinstance(found, bytes) else json.dumps(found).encode()
        self.send_response(code)
        for name, value in {**(headers or {}), "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def url(monkeypatch):
    monkeypatch.setattr("evalkit.remote.WAIT", 0.0)
    Server.asked, Server.counts, Server.busy = [], {}, [0, 0]
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()


def test_every_way_to_fail_loses_its_own_image_alone_and_an_asked_again_run_makes_the_rest(url, tmp_path):
    prompts = [
        "fine",
        "refused",
        "busy",
        "broken",
        "always broken",
        "malformed",
        "no image",
        "slow",
        "by address",
        "last",
    ]
    (tmp_path / "p.txt").write_text("\n".join(prompts))
    model, out = f"http:{url}#qwen-image?size=8x8&price=0.5", tmp_path / "run"
    run = generate_images(model, tmp_path / "p.txt", options=RunOptions(out=out))
    errors = dict(zip(prompts, run.samples["error"].to_pylist(), strict=True))
    assert {name for name, error in errors.items() if error} == {"refused", "always broken", "malformed", "no image"}
    assert "the prompt is not allowed" in errors["refused"]
    assert "the engine has died" in errors["always broken"]
    notes = [json.loads(each) for each in run.samples["notes"].to_pylist() if each]
    assert sum(each["cost"] for each in notes) == 3.0
    assert sorted(each["attempts"] for each in notes if "attempts" in each) == [2, 2]
    before, Server.asked = len(Server.asked), []
    again = generate_images(model, tmp_path / "p.txt", options=RunOptions(out=out, retry_failed=True))
    assert again.samples["error"].null_count == 6
    assert before > len(Server.asked) > 0


def test_as_many_requests_as_asked_for_are_in_flight_and_images_come_in_order(url):
    model = load_generator(f"http:{url}#painter?in_flight=6&size=8x8")
    assert (model.rows, model.batch) == (6, 24)
    done = model.generate([Request(str(i), prompt="slow", seed=i) for i in range(12)])
    assert [each.id for each in done] == [str(i) for i in range(12)]
    assert 2 <= Server.busy[1] <= 6


def test_a_known_model_goes_by_its_repository_with_its_authors_settings_and_seeds(url):
    load_generator(f"http:{url}#qwen-image?num_inference_steps=3").generate([Request("0", prompt="fine", seed=9)])
    (asked,) = Server.asked
    assert asked.pop("path") == "/v1/images/generations"
    assert asked == {
        "model": "Qwen/Qwen-Image",
        "prompt": "fine",
        "n": 1,
        "size": "1328x1328",
        "num_inference_steps": 3,
        "true_cfg_scale": 4.0,
        "negative_prompt": " ",
        "seed": 9,
    }


def test_what_an_endpoint_made_of_size_and_prompt_is_kept(url):
    model = load_generator(f"http:{url}#painter?size=8x8")
    large, other = model.generate([Request("0", prompt="wrong size"), Request("1", prompt="rewritten")])
    assert large.notes["size"] == "16x16, where 8x8 was asked for"
    assert other.notes["revised_prompt"] == "a longer text"


def test_a_source_image_and_its_mask_go_to_the_edits_as_files(url):
    model = load_generator(f"http:{url}#qwen-image-edit")
    source, mask = np.full((8, 8, 3), 90, np.uint8), np.full((8, 8, 3), 255, np.uint8)
    (done,) = model.generate([Request("0", prompt="make it blue", seed=3, source_image=source, mask=mask)])
    assert tuple(done.pixels[0, 0]) == (40, 50, 60)
    (asked,) = Server.asked
    assert asked["path"] == "/v1/images/edits"
    assert (asked["model"], asked["seed"], asked["num_inference_steps"]) == ("Qwen/Qwen-Image-Edit-2511", 3, 40)
    for name, want in (("image", source), ("mask", mask), ("mask_image", mask)):
        assert np.array_equal(np.asarray(Pillow.open(io.BytesIO(asked[name]))), want)


def test_rounds_change_the_image_of_the_round_before_and_all_are_counted(url):
    model = load_generator(f"http:{url}#painter?price=0.25")
    (done,) = model.generate([Request("0", prompt="add a hat", rounds=("a cat", "make it blue"))])
    assert [each["path"].rpartition("/")[2] for each in Server.asked] == ["generations", "edits", "edits"]
    assert done.notes == {"cost": 0.75, "rounds": 3}
    (lost,) = model.generate([Request("1", prompt="add a hat", rounds=("a cat", "refused"))])
    assert isinstance(lost, Failed)
    assert "round 2 of 3" in lost.reason


def test_lines_of_a_prompt_file_name_their_source_images(url, tmp_path):
    (tmp_path / "cat.png").write_bytes(png((9, 9, 9)))
    (tmp_path / "p.jsonl").write_text(json.dumps({"prompt": "make it blue", "source_image": "cat.png"}) + "\n")
    model, options = f"http:{url}#painter", RunOptions(out=tmp_path / "run")
    run = generate_images(model, tmp_path / "p.jsonl", options=options)
    assert run.samples["error"].to_pylist() == [None]
    assert Server.asked[0]["path"] == "/v1/images/edits"
    assert run.record["plan"]["inputs"]["sources"]["n"] == 1
    (tmp_path / "cat.png").write_bytes(png((8, 8, 8)))
    with pytest.raises(EvalkitError, match="another run"):
        generate_images(model, tmp_path / "p.jsonl", options=options)
    (tmp_path / "cat.png").unlink()
    with pytest.raises(EvalkitError, match=r"source image cat\.png cannot be read"):
        generate_images(model, tmp_path / "p.jsonl", options=RunOptions(out=tmp_path / "other"))


def test_a_line_may_say_what_an_image_must_not_show(url, tmp_path):
    (tmp_path / "p.jsonl").write_text(json.dumps({"prompt": "fine", "negative_prompt": "blur"}) + "\n")
    generate_images(f"http:{url}#qwen-image", tmp_path / "p.jsonl", options=RunOptions(out=tmp_path / "run"))
    assert Server.asked[0]["negative_prompt"] == "blur"
    with pytest.raises(EvalkitError, match="takes no negative prompt"):
        load_generator("world-ar", device="cpu").generate([Request("0", prompt="", negative="blur")])


def test_a_model_that_makes_images_from_nothing_refuses_a_source(tmp_path):
    model = load_generator("world-ar", device="cpu")
    with pytest.raises(EvalkitError, match="Give a model that edits"):
        model.generate([Request("0", prompt="", source_image=np.zeros((8, 8, 3), np.uint8))])


@pytest.mark.parametrize("name", sorted(served_models()))
def test_every_known_model_says_its_repository_licence_and_where_its_settings_were_read(name):
    served = parse_address("x", f"https://h/v1#{name}").served
    assert served is not None
    assert served.repo.count("/") == 1
    assert served.licence
    assert served.source
    assert all(key in {*NUMBERS, *TEXTS} for key in served.options)


def test_a_licence_against_commercial_use_is_said(url, tmp_path):
    from evalkit.tasks.generate.generate import forbidden

    assert "FLUX.2-dev is under FLUX Non-Commercial License" in forbidden(f"http:{url}#flux.2-dev", None)[0]
    assert forbidden(f"http:{url}#glm-image", None) == []
    assert "NVIDIA" in forbidden("command:ENV/bin/python hmar.py HMAR WEIGHTS", None)[0]
    assert forbidden("command:python other.py", None) == []
    assert "forbids commercial use" in forbidden("world-ar", _non_commercial_tokenizer())[0]


def _non_commercial_tokenizer() -> str:
    from evalkit.tokenizers.cards import tokenizer_cards

    return next(name for name, card in tokenizer_cards().items() if card.non_commercial)


@pytest.mark.parametrize("options", ["in_flight=0", "in_flight=many", "price=cheap"])
def test_options_of_ours_that_say_nothing_are_refused(options):
    with pytest.raises(EvalkitError):
        parse_address("x", f"https://h/v1#m?{options}")


def test_an_image_is_an_image(url):
    (done,) = load_generator(f"http:{url}#painter").generate([Request("0", prompt="fine")])
    assert isinstance(done, Image)
