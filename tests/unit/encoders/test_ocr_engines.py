import base64
import io
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar

import numpy as np
import pytest
from PIL import Image

from evalkit.encoders.ocr.instruction import lines_of
from evalkit.encoders.registry import load_ocr
from evalkit.errors import EvalkitError, WeightsError
from evalkit.jobs.options import RunOptions
from evalkit.tasks.tokenizer import evaluate_tokenizer

WHITE = np.full((48, 48, 3), 255, np.uint8)


class Endpoint(BaseHTTPRequestHandler):
    """Answers from a script: a text, or a status."""

    script: ClassVar[list] = []
    seen: ClassVar[list] = []

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.seen.append((self.path, body, self.headers.get("Authorization")))
        said = self.script.pop(0) if self.script else "same text"
        self.send_response(said if isinstance(said, int) else 200)
        self.end_headers()
        answer = {"choices": [{"message": {"content": said}}]} if isinstance(said, str) else {"odd": 1}
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *arguments):
        pass


@pytest.fixture
def address(monkeypatch):
    monkeypatch.setattr("evalkit.remote.WAIT", 0.0)
    monkeypatch.setenv("EVALKIT_API_KEY", "secret-key")
    Endpoint.script.clear()
    Endpoint.seen.clear()
    server = HTTPServer(("127.0.0.1", 0), Endpoint)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http:http://127.0.0.1:{server.server_port}/v1#reader"
    server.shutdown()
    server.server_close()


def test_an_endpoint_reads_the_exact_pixels(address):
    Endpoint.script[:] = [503, " FARM  MARKET \n\n open daily "]
    engine = load_ocr(address)
    assert engine.read(WHITE).lines == ("FARM  MARKET", "open daily")
    assert engine.version == "reader"
    path, body, key = Endpoint.seen[-1]
    assert (path, key) == ("/v1/chat/completions", "Bearer secret-key")
    assert body["temperature"] == 0
    url = body["messages"][0]["content"][1]["image_url"]["url"]
    sent = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))
    assert np.array_equal(np.asarray(sent), WHITE)


def test_an_odd_answer_and_a_refusal_are_said_without_the_key(address):
    Endpoint.script[:] = [200, 401]
    for said in (r"choices\[0\]", "answers 401"):
        with pytest.raises(EvalkitError, match=said) as caught:
            load_ocr(address).read(WHITE)
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize("name", ["http:http://host/v1", "http:host#m", "tesseract", "transformers:"])
def test_an_engine_that_cannot_be_is_refused(name):
    with pytest.raises(EvalkitError):
        load_ocr(name)


def test_a_run_names_its_reader_and_survives_texts_that_nobody_read(address, tmp_path, monkeypatch):
    monkeypatch.setenv("EVALKIT_OFFLINE", "1")
    Endpoint.script[:] = ["JAZZ NIGHT", "JAZZ NIGHT", 403, "SALE", "SOLE"]
    options = RunOptions(out=tmp_path / "run", keep="none", limit=3)
    (run,) = evaluate_tokenizer("jpeg-q75", "sample/text-easy", tasks=["text"], ocr=address, options=options)
    host = address.partition("#")[0]
    assert f"ocr {host.removesuffix('/v1')} reader" in run.record["judges"]["weights"]
    assert "secret-key" not in json.dumps(run.record)
    rows = run.samples.to_pylist()
    assert [row["text_error"] is None for row in rows] == [True, False, True]
    assert rows[2]["cer_original"] == 0.25
    found = {row["metric"]: row for row in run.results}
    assert found["cer_original"]["n"] == 2


def test_a_reader_that_is_down_leaves_text_unavailable_with_the_reason(address, tmp_path, monkeypatch):
    monkeypatch.setenv("EVALKIT_OFFLINE", "1")
    Endpoint.script[:] = [403] * 4
    options = RunOptions(out=tmp_path / "run", keep="none", limit=2)
    (run,) = evaluate_tokenizer("jpeg-q75", "sample/text-easy", tasks=["text"], ocr=address, options=options)
    text = next(row for row in run.results if row["metric"] == "cer_truth")
    assert text["status"] == "unavailable"
    assert "answers 403" in text["reason"]


def test_answers_become_lines():
    assert lines_of("").text == ""
    assert lines_of("\n a \n\n b\n").text == "a\nb"


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    """A tiny LLaVA in transformers' layout."""
    transformers = pytest.importorskip("transformers")
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import WhitespaceSplit

    path = tmp_path_factory.mktemp("llava")
    words = ["<pad>", "<s>", "</s>", "<unk>", "<image>", "user", "text", "a", "b"]
    table = Tokenizer(WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    table.pre_tokenizer = WhitespaceSplit()
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=table, pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )
    tokenizer.add_special_tokens({"additional_special_tokens": ["<image>"]})
    images = transformers.CLIPImageProcessor(size={"shortest_edge": 16}, crop_size={"height": 16, "width": 16})
    turn = "{{ m.role }} {% for c in m.content %}{{ '<image> ' if c.type == 'image' else c.text }}{% endfor %}"
    template = "{% for m in messages %}" + turn + "{% endfor %} "
    transformers.LlavaProcessor(
        images, tokenizer, patch_size=8, vision_feature_select_strategy="default", chat_template=template,
        num_additional_image_tokens=1,
    ).save_pretrained(path)  # fmt: skip
    config = transformers.LlavaConfig(
        vision_config=transformers.CLIPVisionConfig(
            hidden_size=8, intermediate_size=8, num_hidden_layers=2, num_attention_heads=1, image_size=16, patch_size=8
        ),
        text_config=transformers.LlamaConfig(
            vocab_size=9, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1, pad_token_id=0
        ),
        image_token_index=4,
    )
    transformers.LlavaForConditionalGeneration(config).save_pretrained(path)
    return path


def test_a_model_of_transformers_reads_greedily(reader):
    engine = load_ocr(f"transformers:{reader}", "cpu")
    engine.tokens = 5
    first = engine.read(WHITE)
    assert first == engine.read(WHITE)
    assert engine.id == f"transformers:{reader.name}"


def test_a_folder_of_something_else_and_a_model_out_of_reach_are_named(tmp_path, monkeypatch):
    with pytest.raises(WeightsError, match="cannot be loaded"):
        load_ocr(f"transformers:{tmp_path}", "cpu")
    monkeypatch.setenv("EVALKIT_OFFLINE", "1")
    with pytest.raises(WeightsError, match="google/gemma-3-12b-it"):
        load_ocr("transformers:google/gemma-3-12b-it", "cpu")
