"""One server on 127.0.0.1 in the place of judges and of image endpoints: it answers every question, and draws one colour."""

import base64
import contextlib
import io
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from PIL import Image

REPLY = "Consistency: 2\nRealism: 1\nAesthetic Quality: 1"  # WISE's three lines
LOST = b"guess boat"


def _drawn():
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), (90, 120, 60)).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


class Handler(BaseHTTPRequestHandler):
    """Chat completions, image generations and the list of models, as OpenAI's interface has them."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.say({"data": [{"id": "qwen-image"}, {"id": "glm-image"}, {"id": "fake-judge"}]})

    def do_POST(self):
        asked = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.endswith("/images/generations"):
            return self.say({"created": 1, "data": [{"b64_json": _drawn()}]})
        lost = LOST in asked and self.server.refusals > 0  # at first, so that there is something to ask again
        self.server.refusals -= lost
        said = {"content": None, "refusal": "no"} if lost else {"content": REPLY, "refusal": None}
        message = {"role": "assistant", **said}
        return self.say(
            {
                "id": "x",
                "model": "fake-judge",
                "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 100, "completion_tokens": 10},
            }
        )

    def say(self, body):
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *words):
        pass


@contextlib.contextmanager
def endpoint():
    """The address of a server that ends with the block."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.refusals = 3
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()
