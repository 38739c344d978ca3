"""Faults of the machine in every verb: exit 2 or a failed sample, no half file, and the same bytes after another try."""

import json
import random
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
from helpers.faults import KINDS, Fault, failing
from helpers.verbs import PAGES, RUNS, call, files, prepared

FEW, SLOW_TO_RUN = 2, ("score", "probe", "generate")  # faults of a kind in the fast suite; one of these is enough of slow verbs
COUNTS = [pytest.param(False, id="few"), pytest.param(True, id="all", marks=pytest.mark.slow)]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return prepared(tmp_path_factory.mktemp("place"))


def begun(verb, place, out):
    for each in out.parent.iterdir():
        shutil.rmtree(each) if each.is_dir() else each.unlink()
    if verb == "sign":
        shutil.copytree(place / "one", out)
    elif verb in ("keygen", "new key"):
        out.mkdir()
    return {**RUNS, **PAGES}[verb](place, out)


def places(total, every, verb, kind):
    """Which operations fail: all of them, or some drawn ones."""
    few = 1 if verb in SLOW_TO_RUN else FEW
    if every or total <= few:
        return range(1, total + 1)
    return sorted(random.Random(f"{verb} {kind}").sample(range(1, total + 1), few))


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
                assert [held[name] for name in held.files] is not None


def unfinished(folder):
    return [each for each in folder.rglob(".writing-*") if "shards" not in each.relative_to(folder).parts]


def counted(verb, kind, place, out):
    arguments = begun(verb, place, out)
    with failing(Fault(kind), str(out)) as fault:
        done = call(arguments)
    assert done.code == 0, done.said
    return fault.seen, files(out) if out.is_dir() else {"": out.read_bytes()} if out.is_file() else {}


@pytest.mark.parametrize("every", COUNTS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("verb", [*RUNS, *PAGES])
def test_a_fault_is_one_sentence_and_the_next_try_ends_with_the_same_bytes(verb, kind, every, place, tmp_path):
    out = tmp_path / "out"
    total, right = counted(verb, kind, place, out)
    for nth in places(total, every, verb, kind):
        arguments = begun(verb, place, out)
        with failing(Fault(kind, nth), str(out)) as fault:
            done = call(arguments)
        assert fault.struck, (nth, total)
        where = f"{verb}: {kind} {nth} of {total}: exit {done.code}, {done.said}"
        assert "Traceback" not in done.said, where
        assert done.code in (0, 1, 2), where
        if done.code == 2:
            assert done.said.strip(), where
        if out.exists():
            check_no_half_file(out if out.is_dir() else out.parent)
        if done.code == 0 and verb not in RUNS:
            continue
        again = call([*arguments, "--retry-failed"] if verb in RUNS else arguments)
        assert again.code == 0, f"{where}; again: {again.said}"
        found = files(out) if out.is_dir() else {"": out.read_bytes()} if out.is_file() else {}
        assert set(found) == set(right), where
        assert not unfinished(out if out.is_dir() else out.parent), where
        changed = [name for name in right if found[name] != right[name]]
        assert not changed or verb in ("keygen", "new key"), f"{where}; other bytes: {changed}"
