"""Faults of the machine in every verb: exit 2 or a failed sample, no half file, and the same bytes after another try."""

import contextlib
import json
import os
import random
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
from helpers.faults import KINDS, Fault, failing
from helpers.verbs import PAGES, RUNS, call, files, prepared

FEW = {"score": 1, "probe": 1, "robustness": 1}  # faults of a verb in the fast suite [2]; in the slow one all of them
SLACK = 2  # operations by which two undisturbed runs may differ (a lock that is found, a folder that is there)
COUNTS = [pytest.param(False, id="few"), pytest.param(True, id="all", marks=pytest.mark.slow)]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return prepared(tmp_path_factory.mktemp("place"))


def begun(verb, place, out):
    """The words of a run that nothing remains of, what networks saw before included, so that every try does the same."""
    shutil.rmtree(os.environ["EVALKIT_CACHE"], ignore_errors=True)
    for each in out.parent.iterdir():
        shutil.rmtree(each) if each.is_dir() else each.unlink()
    if verb == "sign":
        shutil.copytree(place / "one", out)
    elif verb in ("keygen", "new key"):
        out.mkdir()
    return {**RUNS, **PAGES}[verb](place, out)


def faults(totals, every, verb):
    """(kind, number) of the operations that fail: all of them, or some drawn ones."""
    known = [(kind, nth) for kind, total in totals.items() for nth in range(1, total + 1)]
    if every:
        return known
    rng = random.Random(verb)
    kinds = rng.sample(
        [kind for kind, total in totals.items() if total], min(FEW.get(verb, 2), len({k for k, _ in known}))
    )
    return [rng.choice([each for each in known if each[0] == kind]) for kind in kinds]


def check_no_half_file(folder):
    """Every file that has its name is whole, and nothing that is not finished is left but what the next try sweeps."""
    for path in folder.rglob("*"):
        if not path.is_file() or any(part.startswith(".writing-") for part in path.relative_to(folder).parts):
            continue
        assert path.name == ".lock" or path.stat().st_size, path
        if path.suffix == ".parquet":
            pq.read_table(path)
        elif path.suffix == ".json":
            json.loads(path.read_bytes())
        elif path.suffix == ".npz":
            with np.load(path) as held:
                assert all(held[name] is not None for name in held.files)


def unfinished(folder):
    return [each for each in folder.rglob(".writing-*") if "shards" not in each.relative_to(folder).parts]


def left(out):
    return files(out) if out.is_dir() else {"": out.read_bytes()} if out.is_file() else {}


def counted(verb, place, out):
    """How many operations of each kind there are, and what an undisturbed run leaves."""
    counts = [Fault(kind) for kind in KINDS]
    call(begun(verb, place, out))  # what happens once in a process is not counted
    arguments = begun(verb, place, out)
    with contextlib.ExitStack() as stack:
        for count in counts:
            stack.enter_context(failing(count, str(out)))
        done = call(arguments)
    assert done.code == 0, done.said
    return {count.kind: count.seen for count in counts}, left(out)


@pytest.mark.parametrize("every", COUNTS)
@pytest.mark.parametrize("verb", [*RUNS, *PAGES])
def test_a_fault_is_one_sentence_and_the_next_try_ends_with_the_same_bytes(verb, every, place, tmp_path):
    out = tmp_path / "out"
    totals, right = counted(verb, place, out)
    for kind, nth in faults(totals, every, verb):
        arguments = begun(verb, place, out)
        with failing(Fault(kind, nth), str(out)) as fault:
            done = call(arguments)
        where = f"{verb}: {kind} {nth} of {totals[kind]}: exit {done.code}, {done.said}"
        assert fault.struck or fault.seen >= nth - SLACK, where
        if not fault.struck:
            continue
        assert "Traceback" not in done.said, where
        assert done.code in (0, 1, 2), where
        assert done.code != 2 or len(done.said.strip().splitlines()) == 1, where
        if out.exists():
            check_no_half_file(out if out.is_dir() else out.parent)
        if done.code == 0 and verb not in RUNS:
            continue
        again = call([*arguments, "--retry-failed"] if verb in RUNS else arguments)
        assert again.code == 0, f"{where}; again: {again.said}"
        found = left(out)
        assert set(found) == set(right), where
        assert not unfinished(out if out.is_dir() else out.parent), where
        changed = [name for name in right if found[name] != right[name]]
        assert not changed or verb in ("keygen", "new key"), f"{where}; other bytes: {changed}"
