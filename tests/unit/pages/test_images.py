import io

import numpy as np
from PIL import Image

from evalkit.pages.images import AMPLIFY, amplified_difference, read_triple, shown, triples


def image(path, side=16, value=100):
    Image.fromarray(np.full((side, side, 3), value, np.uint8)).save(path)
    return path.name


def entry(folder, **more):
    files = {"original": image(folder / "a.png"), "reconstruction": image(folder / "b.png", value=105)}
    return {"id": "x", "rank": 1, **files, **more}


def test_difference_is_absolute_amplified_and_clipped():
    a, b = np.zeros((2, 2, 3), np.uint8), np.full((2, 2, 3), 200, np.uint8)
    assert (amplified_difference(a, b) == 255).all()
    assert (amplified_difference(a, a + 5) == 5 * AMPLIFY).all()
    assert (amplified_difference(a + 5, a) == 5 * AMPLIFY).all()


def test_images_are_scaled_down_but_never_up():
    assert shown(np.zeros((900, 600, 3), np.uint8), 300).height == 300
    assert shown(np.zeros((20, 30, 3), np.uint8), 300).width == 30


def test_a_kept_pair_gives_three_images(tmp_path):
    triple = read_triple(tmp_path, entry(tmp_path), 64)
    for each in (triple.original, triple.reconstruction, triple.difference):
        assert each.address.startswith("data:image/webp;base64,")
    assert triple.size == sum(len(p.address) for p in (triple.original, triple.reconstruction, triple.difference))


def test_pairs_of_different_sizes_have_no_difference(tmp_path):
    pair = {**entry(tmp_path), "reconstruction": image(tmp_path / "c.png", side=8)}
    assert read_triple(tmp_path, pair, 64).difference is None


def test_files_that_are_gone_broken_or_outside_the_run_are_left_out(tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    image(tmp_path / "secret.png")
    (run / "broken.png").write_bytes(io.BytesIO(b"not an image").getvalue())
    good = entry(run)
    assert triples(run, [good], 5, 64, 10**6)
    for name in ("gone.png", "broken.png", "../secret.png", str(tmp_path / "secret.png"), ""):
        assert read_triple(run, {**good, "original": name}, 64) is None
    assert len(triples(run, [{**good, "original": "gone.png"}, good], 5, 64, 10**6)) == 1


def test_images_stop_at_the_budget(tmp_path):
    pair = entry(tmp_path)
    size = read_triple(tmp_path, pair, 64).size
    assert len(triples(tmp_path, [pair] * 5, 5, 64, 3 * size)) == 3
    assert len(triples(tmp_path, [pair] * 5, 2, 64, 10**6)) == 2
