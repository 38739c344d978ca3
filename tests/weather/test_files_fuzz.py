"""A bounded fuzz over every reader of files that are no images: a value, or one sentence; no traceback, no hang."""

import contextlib
import gzip
import io
import json
import shutil
import time

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from helpers.mutated import mutated
from helpers.resealed import resealed
from helpers.verbs import PAGES, RUNS, call, photos
from safetensors.torch import save as safetensors_bytes

from evalkit.cli.show_query import show_csv
from evalkit.errors import EvalkitError
from evalkit.judges.chat import raw_reply
from evalkit.judges.parse import NoAnswer, Scale, json_object, json_scores, line_scores, listed_scores, yes_or_no_lines
from evalkit.judges.store import ReplyStore
from evalkit.metrics.statistics_file import read_statistics
from evalkit.provenance.dsse import BadEnvelope, parse
from evalkit.provenance.keys import load_public_key, load_signing_key
from evalkit.provenance.verify import verify_run
from evalkit.runs.query import RunTables
from evalkit.runs.store import read_run
from evalkit.tasks.probe.evidence.read import read_evidence
from evalkit.tasks.probe.geneval.annotations import read_annotations
from evalkit.tasks.probe.geneval.official import read_results
from evalkit.tasks.probe.geneval.prompts import geneval_prompts, read_prompts
from evalkit.watermark.detection.calibration_file import read_calibration
from evalkit.watermark.keys import read_key
from evalkit.watermark.methods.files import read_mark
from evalkit.watermark.methods.subject import read_frequencies
from evalkit.weights.reading import read_checkpoint

FEW, MANY = 200, 2000  # mutations of a reader in the fast and in the slow suite
DEEP = 20  # every so many mutations of a run's file are also verified and asked by queries
SECONDS = 10  # that one file may take
COUNTS = [pytest.param(False, id="few"), pytest.param(True, id="many", marks=pytest.mark.slow)]
NO_ANSWERS = (EvalkitError, NoAnswer, BadEnvelope)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """One whole file for each reader, by name."""
    place = tmp_path_factory.mktemp("made")
    photos(place / "data")
    for arguments in (
        ["watermark", "keygen", str(place / "my.key")],
        ["sign", "--new-key", str(place / "my.pem")],
        RUNS["tokenizer"](place, place / "one"),
        RUNS["embed"](place, place / "marked"),
        RUNS["calibrate"](place, place / "cal"),
        [*RUNS["calibrate"](place, place / "cal2")[:-1], str(place / "cal2" / "c.json")],
        PAGES["sign"](place, place / "one"),
    ):
        done = call(arguments)
        assert done.code == 0, done.said
    return place


def evidence_lines():
    boxes = [{"label": "cat", "score": 0.9, "box": [1, 2, 3, 4]}]
    line = {"image": "a.png", "prompt": "00000", "sample": 0, "size": [8, 8], "boxes": {"items": boxes}}
    return "\n".join(json.dumps(each) for each in ({"evidence": 1, "suite": "geneval"}, line, {"m": "x"})).encode()


def statistics_bytes():
    buffer = io.BytesIO()
    np.savez(buffer, mu=np.zeros(4), sigma=np.eye(4), n=np.array(9))
    return buffer.getvalue()


def checkpoint(legacy):
    buffer = io.BytesIO()
    torch.save({"a": torch.zeros(3), "b": {"c": [1, "x"]}}, buffer, _use_new_zipfile_serialization=not legacy)
    return buffer.getvalue()


def array_bytes():
    buffer = io.BytesIO()
    np.save(buffer, np.arange(8.0))
    return buffer.getvalue()


def results_lines():
    line = {"filename": "a", "tag": "single_object", "prompt": "x", "correct": True, "reason": "", "metadata": "{}"}
    return json.dumps(line).encode()


ANSWER = json.dumps(
    {
        "model": "m",
        "choices": [
            {
                "message": {"content": '{"score": 3}', "refusal": None},
                "finish_reason": "stop",
                "logprobs": {
                    "content": [{"token": "Y", "logprob": -0.1, "top_logprobs": [{"token": "N", "logprob": -3}]}]
                },
            }
        ],
        "usage": {"prompt_tokens": 5, "completion_tokens": 2},
    }
).encode()
STORED = json.dumps(
    {"key": "k", "at": "x", "reply": {"text": "yes", "kind": "answer", "attempts": 1}, "about": {}}
).encode()
SAID = b'<think>no</think> Here: {"quality": 3, "fit": [1, 2]}\n1. **Yes**, a dog.\nRealism: 4/5\n2. no'
PROMPT_LINES = (
    b'{"tag": "single_object", "include": [{"class": "bench", "count": 1}], "prompt": "a photo of a bench"}\n'
)
ANNOTATIONS = b"id,prompt,answer\n1,a,b\n"

FILES = {  # name: (content or the name of a made file, reader of a path)
    "evidence.jsonl": (evidence_lines(), read_evidence),
    "evidence.jsonl.gz": (gzip.compress(evidence_lines()), read_evidence),
    "stats.npz": (statistics_bytes(), read_statistics),
    "new.pt": (checkpoint(legacy=False), read_checkpoint),
    "old.pth": (checkpoint(legacy=True), read_checkpoint),
    "net.safetensors": (safetensors_bytes({"a": torch.zeros(3)}), read_checkpoint),
    "results.jsonl": (results_lines(), lambda path: read_results(path, geneval_prompts())),
    "annotations.csv": (ANNOTATIONS, read_annotations),
    "metadata.jsonl": (PROMPT_LINES, read_prompts),
    "counts.npy": (array_bytes(), read_frequencies),
    "cal.npz": ("cal/c.npz", read_calibration),
    "cal.json": ("cal2/c.json", read_calibration),
    "frequencies.npz": ("cal/c.npz", read_frequencies),
    "mark.json": ("marked/mark.json", read_mark),
    "my.key": ("my.key", read_key),
    "my.pem": ("my.pem", load_signing_key),
    "my.pem.pub": ("my.pem.pub", load_public_key),
    "attestation.json": ("one/attestation.json", lambda path: parse(path.read_bytes())),
    "replies.jsonl": (STORED, lambda path: ReplyStore(path).close()),
}


def expect_value_or_sentence(read, where):
    begin, said = time.monotonic(), "a value"
    try:
        read()
    except NO_ANSWERS as error:
        said = str(error)
    assert len(said.strip().splitlines()) == 1, (where, said)
    assert time.monotonic() - begin < SECONDS, where


def text(name):
    return name.rpartition(".")[2] in ("jsonl", "json", "csv", "key", "pem", "pub")


@pytest.mark.parametrize("every", COUNTS)
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_is_a_value_or_a_sentence(name, every, made, tmp_path):
    content, read = FILES[name]
    data = (made / content).read_bytes() if isinstance(content, str) else content
    path = tmp_path / name
    path.touch(0o600)
    for seed in range(MANY if every else FEW):
        path.write_bytes(mutated(data, seed, words=text(name)))
        expect_value_or_sentence(lambda: read(path), f"{name}, seed {seed}")


JUDGES = {
    "object": lambda said: json_object(said),
    "scores": lambda said: json_scores(said, {"quality": Scale(1, 5)}),
    "lines": lambda said: line_scores(said, {"Realism": Scale(1, 5)}),
    "list": lambda said: listed_scores(said, Scale(1, 5), 1),
    "yes or no": lambda said: yes_or_no_lines(said),
}


@pytest.mark.parametrize("every", COUNTS)
@pytest.mark.parametrize("name", JUDGES)
def test_a_damaged_answer_of_a_judge_is_a_value_or_none(name, every):
    for seed in range(MANY if every else FEW):
        said = mutated(SAID, seed, words=True).decode("utf-8", "replace")
        expect_value_or_sentence(lambda said=said: JUDGES[name](said), f"{name}, seed {seed}")


@pytest.mark.parametrize("every", COUNTS)
def test_a_damaged_reply_of_an_endpoint_is_a_reply_or_a_known_error(every):
    for seed in range(MANY if every else FEW):
        try:
            found = json.loads(mutated(ANSWER, seed, words=True))
        except (ValueError, RecursionError):
            continue
        with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError, IndexError):  # its caller's list
            assert raw_reply(found).kind == "answer"


RUN_FILES = ("record.json", "plan.json", "results.json", "samples.parquet", "images/index.json", "attestation.json")


def readers_of(run):
    def ask():
        with RunTables((run,)) as tables:
            show_csv(tables.ask("select * from samples"))

    return {
        "read_run": lambda: read_run(run),
        "verify": lambda: verify_run(run),
        "query": ask,
    }


@pytest.mark.parametrize("every", COUNTS)
@pytest.mark.parametrize("name", RUN_FILES)
def test_a_run_with_a_damaged_file_is_read_or_said_to_be_damaged(name, every, made, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(made / "one", run)
    whole = {file: (run / file).read_bytes() for file in RUN_FILES}
    for seed in range(MANY if every else FEW):
        for file, data in whole.items():
            (run / file).write_bytes(data)
        (run / name).write_bytes(mutated(whole[name], seed, words=not name.endswith(".parquet")))
        if seed % 2 and name != "record.json":
            (run / "attestation.json").unlink()
            resealed(run)
        for reader, read in readers_of(run).items():
            if reader == "read_run" or seed % DEEP < 2:
                expect_value_or_sentence(read, f"{reader} of {name}, seed {seed}")


@pytest.mark.parametrize("verb", ["report", "view", "leaderboard", "verify"])
def test_a_run_of_strange_rows_is_a_page_or_one_sentence(verb, made, tmp_path):
    run = tmp_path / "one"
    shutil.copytree(made / "one", run)
    (run / "attestation.json").unlink()
    table = pq.read_table(run / "samples.parquet")
    for column in ("psnr", "protocol", "error", "sha256"):
        pq.write_table(table.drop_columns([column]), run / "samples.parquet")
        resealed(run)
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        (tmp_path / "two").exists() or shutil.copytree(made / "one", tmp_path / "two")
        done = call(PAGES[verb](tmp_path, tmp_path / "out"))
        assert done.code in (0, 1, 2), (column, done)
        assert "Traceback" not in done.said
        (tmp_path / "out").unlink(missing_ok=True) if (tmp_path / "out").is_file() else None
