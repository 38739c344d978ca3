"""The tree is RFC 6962's with domains of its own; proofs show one sample without the others."""

import hashlib
import math

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.errors import EvalkitError
from evalkit.provenance.merkle import EMPTY, LEAF, NODE, Proof, leaf, leaves, leaves_of, proofs, proven_root, root

digests = st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=40)


def recursive(found):
    """Section 2.1 of RFC 6962, word by word."""
    if len(found) == 1:
        return found[0]
    k = 1
    while k * 2 < len(found):
        k *= 2
    return hashlib.sha256(NODE + recursive(found[:k]) + recursive(found[k:])).digest()


@given(digests)
def test_the_root_is_that_of_the_rfc(found):
    assert root(found) == recursive(found)


@given(digests)
def test_every_leaf_can_be_proven(found):
    for digest, proof in zip(found, proofs(found), strict=True):
        assert proven_root(digest, proof) == root(found)
        assert len(proof.path) <= math.ceil(math.log2(len(found))) if len(found) > 1 else not proof.path


@given(digests, st.data())
def test_no_other_leaf_place_or_path_is_proven(found, data):
    at = data.draw(st.integers(0, len(found) - 1))
    proof = list(proofs(found))[at]
    other = data.draw(st.binary(min_size=32, max_size=32).filter(lambda each: each != found[at]))
    assert proven_root(other, proof) != root(found)
    if proof.path:
        longer, shorter = (*proof.path, b"\0" * 32), proof.path[1:]
        for path in (longer, shorter):
            with pytest.raises(EvalkitError):
                proven_root(found[at], Proof(at, len(found), path))


@given(digests, st.data())
def test_order_and_number_of_samples_decide_the_root(found, data):
    other = data.draw(st.permutations(found))
    assert (root(other) == root(found)) == (other == found)
    assert root([*found, found[-1]]) != root(found)


def test_no_samples_have_a_root_of_their_own():
    assert root([]) == EMPTY == hashlib.sha256(LEAF).digest()


def test_a_leaf_is_known():
    said = b'{"id":"a","psnr":30.5}'
    assert leaf({"psnr": 30.5, "id": "a"}) == hashlib.sha256(b"\0evalkit sample v1\0" + said).digest()


def test_no_text_passes_for_a_number_and_no_number_for_another():
    values = [float("inf"), float("-inf"), float("nan"), "inf", "nan", None, 0, "0", "", True, [1.0], ["1.0"]]
    assert len({leaf({"x": value}) for value in values}) == len(values)
    assert leaf({"x": {"number": "inf"}}) != leaf({"x": float("inf")})


def test_rows_of_a_file_have_the_leaves_of_the_table(tmp_path):
    table = pa.table({"id": [str(i) for i in range(9000)], "x": [i / 7 for i in range(9000)]})
    pq.write_table(table, tmp_path / "t.parquet", row_group_size=1000)
    assert leaves_of(tmp_path / "t.parquet") == leaves(table)
    assert len(set(leaves(table))) == 9000
