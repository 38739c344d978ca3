import pytest

from evalkit.errors import EvalkitError
from evalkit.tasks.probe.coverage import coverage

WHOLE = [(f"{p}-{s}", p, s) for p in "ab" for s in range(2)]


def test_a_whole_set_is_whole():
    found = coverage(["a", "b"], 2, WHOLE)
    assert (found.expected, found.present, found.share, found.missing) == (4, 4, 1, ())
    found.require()


def test_missing_images_are_refused_by_name_unless_that_is_allowed():
    found = coverage(["a", "b"], 2, WHOLE[:3])
    assert found.missing == (("b", 1),)
    with pytest.raises(EvalkitError, match=r"1 of 4 images are missing, the first of prompt b \(sample 1\)"):
        found.require()
    found.require(allow_missing=True)


@pytest.mark.parametrize(
    ("extra", "said"),
    [(("x", "c", 0), "prompt c"), (("x", "a", 2), "sample 2"), (("x", "a", 1), "both sample 1 of prompt a")],
)
def test_images_that_do_not_belong_are_refused(extra, said):
    with pytest.raises(EvalkitError, match=said):
        coverage(["a", "b"], 2, [*WHOLE, extra])
