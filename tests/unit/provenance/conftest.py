"""Small real runs, made once: images of the world's generator, a tokenizer's run over them, attacks on them."""

import hashlib
import json
import shutil

import pytest

from evalkit.jobs.options import RunOptions
from evalkit.jsonio import pretty_json
from evalkit.runs.record import with_digest
from evalkit.tasks.generate import generate_images
from evalkit.tasks.tokenizer import evaluate_tokenizer
from evalkit.watermark.attacks.run import attack_folder
from evalkit.watermark.attacks.spelling import read_attacks


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """The folder with `generated`, `scored` and `attacked`; nobody writes to it."""
    home = tmp_path_factory.mktemp("made")
    generate_images("world-ar", "world", options=RunOptions(out=home / "generated", limit=3))
    tasks = ["reconstruction", "distribution", "codes"]
    options = RunOptions(out=home / "scored", keep="all")
    evaluate_tokenizer("jpeg-q75", home / "generated" / "images", tasks=tasks, options=options)
    attack_folder(
        home / "generated" / "images", read_attacks(["jpeg:75", "noise:0.02"]), home / "attacked", batch=4, threads=1
    )
    return home


@pytest.fixture
def runs(made, tmp_path):
    """A copy of `made` that a test may spoil."""
    shutil.copytree(made, tmp_path / "runs")
    record = json.loads((tmp_path / "runs" / "scored" / "record.json").read_bytes())
    record["data"]["spec"] = str(tmp_path / "runs" / "generated" / "images")
    (tmp_path / "runs" / "scored" / "record.json").write_bytes(pretty_json(with_digest(record)))
    return tmp_path / "runs"


@pytest.fixture(scope="session")
def key():
    ed25519 = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519")
    return ed25519.Ed25519PrivateKey.from_private_bytes(b"\1" * 32)


@pytest.fixture(scope="session")
def other_key():
    ed25519 = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519")
    return ed25519.Ed25519PrivateKey.from_private_bytes(b"\2" * 32)


@pytest.fixture
def forge():
    """Change files of a run and make its record say so, as a liar would who knows how records work."""
    return _forge


def _forge(run, **changes):
    """`changes`: name with dots as __ for a file -> function from bytes to bytes; record.json follows."""
    record = json.loads((run / "record.json").read_bytes())
    for name, change in changes.items():
        path = run / name.replace("__", ".")
        path.write_bytes(change(path.read_bytes()))
        record["files"][path.relative_to(run).as_posix()] = hashlib.sha256(path.read_bytes()).hexdigest()
    (run / "record.json").write_bytes(pretty_json(with_digest(record)))
