"""A fake judge on 127.0.0.1 that answers from a script, and a tiny random vision-language model."""

import contextlib
import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import torch

GOOD = '{"score": 7, "reason": "as asked"}'


def completion(text, finish="stop", refusal=None, **more):
    message = {"role": "assistant", "content": text, "refusal": refusal}
    return {
        "id": "x",
        "model": "fake-2025-01-01",
        "system_fingerprint": "fp",
        "choices": [{"index": 0, "message": message, "finish_reason": finish, **more}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 10},
    }


# what the server does for each word of a script
ANSWERS = {
    "good": lambda: completion(GOOD),
    "fenced": lambda: completion(f"```json\n{GOOD}\n```"),
    "prose": lambda: completion(f"Let me see. The dog is there, so: {GOOD} I hope that helps."),
    "parts": lambda: completion([{"type": "text", "text": GOOD}]),
    "words": lambda: completion("The score is seven."),
    "sorry": lambda: completion("I'm sorry, but I can't assist with that."),
    "refusal": lambda: completion(None, refusal="I cannot judge people."),
    "filtered": lambda: completion("", finish="content_filter"),
    "cut": lambda: completion('{"score": 7, "rea', finish="length"),
    "whole-cut": lambda: completion(GOOD + " and", finish="length"),
    "empty": lambda: completion(""),
    "no-usage": lambda: {k: v for k, v in completion(GOOD).items() if k != "usage"},
    "odd": lambda: {"choices": []},
    "error-200": lambda: {"error": {"message": "provider is down", "code": 503}},
}
FILTER = {"error": {"message": "The response was filtered by our content management policy.", "code": "content_filter"}}


@dataclass
class Fake:
    """`script`: what happens to one request after the other, then "good" for ever. `seen`: bodies and headers."""

    address: str
    script: list = field(default_factory=list)
    seen: list = field(default_factory=list)
    headers: list = field(default_factory=list)
    together: int = 0
    most: int = 0
    hold: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        fake = self.server.fake
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with fake.lock:
            fake.together += 1
            fake.most = max(fake.most, fake.together)
            word = fake.script.pop(0) if fake.script else "good"
            fake.seen.append(body)
            fake.headers.append((self.path, dict(self.headers)))
        time.sleep(fake.hold)
        with fake.lock:
            fake.together -= 1
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.answer(word)

    def answer(self, word):
        if isinstance(word, tuple):
            self.send(word[0], json.dumps(word[1] if len(word) > 1 else {"error": {"message": "no"}}), *word[2:])
        elif word == "slow":
            time.sleep(1.5)
            self.send(200, json.dumps(completion(GOOD)))
        elif word == "drip":
            self.send_response(200)
            self.send_header("Content-Length", "100000")
            self.end_headers()
            for _ in range(400):
                self.wfile.write(b" ")
                self.wfile.flush()
                time.sleep(0.05)
        elif word == "broken-off":
            self.send_response(200)
            self.send_header("Content-Length", "500")
            self.end_headers()
            self.wfile.write(b'{"choices": [')
            self.close_connection = True
        elif word == "huge":
            self.send(200, json.dumps(completion("x" * 200_000)))
        elif word == "garbage":
            self.send(200, "<html>hello</html>")
        else:
            self.send(200, json.dumps(ANSWERS[word]()))

    def send(self, status, text, headers=None):
        data = text.encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def fake(monkeypatch):
    for name in ("EVALKIT_API_KEY", "OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.fake = Fake(f"http://127.0.0.1:{server.server_port}/v1")
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield server.fake
    server.shutdown()
    server.server_close()


WORDS = [
    *("<unk>", "<s>", "</s>", "<image>", "yes", "no", "is", "this", "a", "dog", "?"),
    *("user", "assistant", "system", ":", "red"),
]
TEMPLATE = (
    "{% for m in messages %}{{ m['role'] }} : {% for c in m['content'] %}"
    "{% if c['type'] == 'image' %}<image> {% else %}{{ c['text'] }} {% endif %}{% endfor %}{% endfor %}"
    "{% if add_generation_prompt %}assistant :{% endif %}"
)


@pytest.fixture(scope="session")
def tiny_vlm(tmp_path_factory):
    """A tiny random Llava with a tokenizer of sixteen words."""
    transformers = pytest.importorskip("transformers")
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=words, unk_token="<unk>", bos_token="<s>", eos_token="</s>", pad_token="</s>"
    )
    tokenizer.add_special_tokens({"additional_special_tokens": ["<image>"]})
    side = {"height": 28, "width": 28}
    processor = transformers.LlavaProcessor(
        image_processor=transformers.CLIPImageProcessor(size={"shortest_edge": 28}, crop_size=side),
        tokenizer=tokenizer,
        patch_size=14,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=TEMPLATE,
        image_token="<image>",
    )
    torch.manual_seed(0)
    small = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = transformers.LlavaConfig(
        vision_config=transformers.CLIPVisionConfig(**small, image_size=28, patch_size=14),
        text_config=transformers.LlamaConfig(
            **small, vocab_size=len(WORDS), num_key_value_heads=2, bos_token_id=1, eos_token_id=2, pad_token_id=2
        ),
        image_token_index=3,
        vision_feature_layer=-1,
    )
    network = transformers.LlavaForConditionalGeneration(config)
    for value in network.parameters():
        torch.nn.init.normal_(value, std=0.6)
    folder = tmp_path_factory.mktemp("vlm")
    network.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
