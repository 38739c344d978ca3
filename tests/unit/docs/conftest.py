"""What the tests of workers share: a worker's file with fake official modules, and one request through its loop."""

import base64
import importlib
import importlib.util
import io
import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from helpers.fake_modules import fake_packages
from PIL import Image

FOLDER = Path(__file__).resolve().parents[3] / "docs" / "workers"


@pytest.fixture
def worker(monkeypatch):
    """Load a worker file with fake official modules; what they change of the interpreter is put back.

    `modules` holds what each module holds, or is a tuple of packages in which any name is a mock.
    """
    monkeypatch.setattr(sys, "path", [str(FOLDER), *sys.path])
    monkeypatch.setattr(torch.Tensor, "cuda", lambda self, *a, **k: self)
    endings = []

    def loaded(name, modules):
        if isinstance(modules, dict):
            _install(monkeypatch, modules)
        else:
            endings.append(fake_packages(monkeypatch, modules)[1])
        monkeypatch.delitem(sys.modules, "worker_loop", raising=False)
        spec = importlib.util.spec_from_file_location(f"worker_{name}", FOLDER / f"{name}.py")
        made = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(made)
        return made

    yield loaded
    for end in endings:
        end()


def _install(monkeypatch, modules):
    for dotted, content in modules.items():
        for depth in range(1, dotted.count(".") + 2):
            part = ".".join(dotted.split(".")[:depth])
            if part not in modules:
                monkeypatch.setitem(sys.modules, part, ModuleType(part))
        module = ModuleType(dotted)
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, dotted, module)


@pytest.fixture
def on_cpu(monkeypatch):
    """Tensors that are asked for on a GPU come on the processor."""

    def here(made):
        def call(*given, **named):
            if str(named.get("device", "")).startswith("cuda"):
                named["device"] = "cpu"
            return made(*given, **named)

        return call

    for name in ("tensor", "randn", "zeros", "full"):
        monkeypatch.setattr(torch, name, here(getattr(torch, name)))
    to = torch.Tensor.to
    monkeypatch.setattr(
        torch.Tensor,
        "to",
        lambda self, *a, **k: to(self, *["cpu" if str(each).startswith("cuda") else each for each in a], **k),
    )


@pytest.fixture
def served(monkeypatch):
    """The pixels and the reply of one request through the whole loop."""

    def asked(module, *arguments, **request):
        monkeypatch.setattr(sys, "argv", ["worker", *arguments])
        line = {"id": "a", "prompt": "a cup", "class_id": None, "seed": 7, "sampler": None, **request}
        out = io.StringIO()
        with monkeypatch.context() as patched:
            patched.setattr(sys, "stdin", io.StringIO(json.dumps(line) + "\n"))
            patched.setattr(sys, "stdout", out)
            module.serve(module.load, module.draw, getattr(module, "FIXED", None))
        reply = json.loads(out.getvalue().splitlines()[-1])
        assert reply.pop("id") == "a"
        assert "error" not in reply, reply
        image = Image.open(io.BytesIO(base64.b64decode(reply.pop("image_base64")))).convert("RGB")
        return np.asarray(image), reply

    return asked
