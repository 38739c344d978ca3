import contextlib
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evalkit.errors import EvalkitError
from evalkit.metrics import npz
from evalkit.metrics.frechet import frechet_distance
from evalkit.metrics.rows import moments_of
from evalkit.metrics.statistics_file import read_statistics, save_statistics

X = np.random.default_rng(0).normal(size=(40, 5))
MADE = {"protocol": "adm", "weights": "6726825d"}


def adm(path, **changes):
    m = moments_of(X)
    arrays = {"mu": m.mean, "sigma": m.covariance(), "mu_s": m.mean[:3], "sigma_s": m.covariance()[:3, :3]}
    arrays |= {"arr_0": np.zeros((4, 8, 8, 3), np.uint8)}
    np.savez(path, **{k: v for k, v in (arrays | changes).items() if v is not None})
    return path


def test_what_is_written_is_read_again_by_us_and_by_the_peers(tmp_path):
    path, m = tmp_path / "ref.npz", moments_of(X)
    save_statistics(path, m, n=40, spatial=moments_of(X[:, :2]), made_with=MADE)
    found = read_statistics(path)
    assert found.need("pool").n == 40
    assert found.made_with == MADE
    assert frechet_distance(found.need("pool"), m) < 1e-12
    assert found.need("spatial").dim == 2
    with np.load(path, allow_pickle=False) as z:  # as pytorch-fid and guided-diffusion read it
        assert np.array_equal(z["mu"], m.mean)
        assert np.array_equal(z["sigma"], m.covariance())


def test_guided_diffusions_file_has_two_statistics_and_images(tmp_path):
    found = read_statistics(adm(tmp_path / "VIRTUAL.npz"))
    assert (found.need("pool").dim, found.need("spatial").dim, found.images) == (5, 3, 4)
    assert found.need("pool").n is None
    assert found.contents() == "statistics of 5 pool features, statistics of 3 spatial features, 4 images"


def test_a_fortran_ordered_or_compressed_file_is_read_alike(tmp_path):
    m = moments_of(X)
    skew = m.covariance() + np.triu(np.full((5, 5), 1e-9), 1)
    np.savez_compressed(tmp_path / "a.npz", mu=m.mean.astype(np.float32), sigma=np.asfortranarray(skew))
    assert read_statistics(tmp_path / "a.npz").need("pool").sigma == pytest.approx(m.covariance(), abs=1e-8)


def test_the_wrong_kind_of_reference_says_what_is_there(tmp_path):
    stats_only = read_statistics(adm(tmp_path / "stats.npz", mu_s=None, sigma_s=None, arr_0=None))
    with pytest.raises(
        EvalkitError, match=r"stats.npz has no mu_s and sigma_s: it holds statistics of 5 pool features"
    ):
        stats_only.need("spatial")
    images = read_statistics(adm(tmp_path / "images.npz", mu=None, sigma=None, mu_s=None, sigma_s=None))
    with pytest.raises(EvalkitError, match="it holds 4 images"):
        images.need("pool")
    features = adm(tmp_path / "kid.npz", mu=None, sigma=None, mu_s=None, sigma_s=None, arr_0=None, feats=X)
    assert np.array_equal(read_statistics(features).features, X)


def test_statistics_of_another_protocol_are_refused(tmp_path):
    save_statistics(tmp_path / "a.npz", moments_of(X), n=40, made_with=MADE)
    found = read_statistics(tmp_path / "a.npz")
    found.check_made_with(MADE)
    with pytest.raises(EvalkitError, match="made with protocol adm, not clean"):
        found.check_made_with({"protocol": "clean"})
    read_statistics(adm(tmp_path / "foreign.npz")).check_made_with({"protocol": "clean"})  # foreign files do not say


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sigma": None}, "lacks sigma"),
        ({"mu": np.zeros(4)}, "of shape"),
        ({"mu": np.zeros((5, 1))}, "of shape"),
        ({"mu": np.full(5, np.nan)}, "values in mu that are not finite"),
        ({"sigma": np.arange(25.0).reshape(5, 5)}, "no covariance"),
        ({"sigma": -np.eye(5)}, "no covariance"),
        ({"mu": np.array(["a"] * 5)}, "not numbers"),
        ({"mu": np.array([object()] * 5)}, "Python objects"),
        ({"made_with": np.frombuffer(b"{", np.uint8)}, "cannot be read"),
    ],
)
def test_whatever_is_wrong_is_one_sentence_and_what_to_give(tmp_path, changes, said):
    with pytest.raises(EvalkitError, match=said) as error:
        read_statistics(adm(tmp_path / "bad.npz", **changes))
    assert "Give an npz file" in str(error.value)


def test_no_npz_is_one_sentence(tmp_path):
    for name, content in (
        ("a.npz", b"hello"),
        ("b.npz", b""),
        ("c.npz", b"version https://git-lfs.github.com/spec/v1"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(EvalkitError, match=r"not a readable npz|LFS pointer"):
            read_statistics(tmp_path / name)
    with pytest.raises(EvalkitError, match="is not there"):
        read_statistics(tmp_path / "nowhere.npz")
    with pytest.raises(EvalkitError, match="is a folder"):
        read_statistics(tmp_path)
    np.savez(tmp_path / "other.npz", weights=X)
    with pytest.raises(EvalkitError, match="holds weights, but neither"):
        read_statistics(tmp_path / "other.npz")


def test_a_file_that_claims_too_much_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(npz, "MOST", 100)
    with pytest.raises(EvalkitError, match="which no statistics do"):
        read_statistics(adm(tmp_path / "big.npz"))


def test_an_array_that_unpacks_to_more_than_it_says_is_refused(tmp_path):
    path = adm(tmp_path / "bomb.npz")
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["mu.npy"] += b"\0" * 1000
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    with pytest.raises(EvalkitError, match="41 bytes for mu; 40 were announced"):
        read_statistics(path)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 5000), st.binary(min_size=1, max_size=8), st.booleans())
def test_damaged_files_never_raise_anything_else(tmp_path, place, junk, cut):
    path = adm(tmp_path / "damaged.npz")
    data = bytearray(path.read_bytes())
    place %= len(data)
    data[place : place + len(junk)] = junk
    path.write_bytes(bytes(data[:place]) if cut else bytes(data))
    with contextlib.suppress(EvalkitError):
        read_statistics(path)
