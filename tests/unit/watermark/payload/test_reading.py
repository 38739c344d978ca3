"""What is promised of a read message: p-values that hold for any image, honest probabilities, errors over all candidates."""

import numpy as np
import pytest

from evalkit.watermark.keys import Key
from evalkit.watermark.methods import MarkSpec, build_mark

V, N = 512, 96


def mark_of(key, carrier="codes", layout="id:16", message=None):
    spec = MarkSpec("payload", layout=layout, carrier=carrier, message=message)
    return build_mark(spec, Key(int(key).to_bytes(32, "big")), "t@x", V)


def marked(mark, rng, green):
    """Codes [N] of which a share `green` is green under the mark's message."""
    places = mark.green_places(0, N)
    places = places if places.ndim == 2 else np.repeat(places[None], N, 0)
    wanted = rng.random(N) < green
    return np.array([rng.choice(np.flatnonzero(row == want)) for row, want in zip(places, wanted, strict=True)])


@pytest.mark.parametrize("carrier", ["codes", "places"])
def test_presence_is_called_in_no_more_unmarked_images_than_promised(carrier):
    image = np.random.default_rng(3).choice(40, N)  # of few codes, that repeat
    found = np.array([mark_of(key + 1, carrier).coins(image).presence()[2] for key in range(500)])
    assert (found <= np.log(0.05)).mean() <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 500)
    assert found.min() < np.log(0.1)


@pytest.mark.parametrize("owner", [None, "user=5000", "user=300"])
def test_innocent_users_are_named_no_more_often_than_promised_whoever_made_the_image(owner):
    """Also where the image is a neighbour's, whose number differs in one bit."""
    rng, asked, found = np.random.default_rng(4), np.arange(301, 340, dtype=np.uint64), []
    for key in range(300):
        mark = mark_of(key + 1, "places", "user:28", owner)
        image = rng.choice(40, N) if owner is None else marked(mark, rng, 0.85)
        found.append(mark.read(image, asked)[2])
    for alpha in (0.01, 0.1):
        assert (np.array(found) <= np.log(alpha)).mean() <= alpha + 3 * np.sqrt(alpha * (1 - alpha) / 300)


@pytest.mark.parametrize("carrier", ["codes", "places"])
def test_probabilities_of_messages_are_those_of_being_right(carrier):
    rng, sure, right = np.random.default_rng(5), [], []
    for key in range(120):
        message = int(rng.integers(1 << 16))
        mark = mark_of(key + 1, carrier, message=hex(message))
        read, probability, _ = mark.read(marked(mark, rng, rng.choice([0.62, 0.76, 0.83, 0.9])))
        sure.append(probability)
        right.append(read == message)
    sure, right = np.array(sure), np.array(right)
    assert abs(sure.mean() - right.mean()) < 0.08
    assert right[sure > 0.99].mean() > 0.95
    assert right[sure < 0.5].mean() < 0.5


def test_a_user_among_a_million_is_found_where_no_message_can_be_read():
    rng, found, blind, wrong = np.random.default_rng(7), 0, 0, 0
    asked = np.arange(1_000_000, dtype=np.uint64)
    for key in range(6):
        user = int(rng.integers(1_000_000))
        mark = mark_of(key + 1, "places", "user:40", f"user={user}")
        image = marked(mark, rng, 0.86)
        message, _, log_p = mark.read(image, asked)
        found += message == user and log_p < np.log(0.01)
        wrong += message != user and log_p < np.log(0.01)
        blind += mark.read(image)[0] == user
    assert found > blind
    assert found >= 3
    assert wrong == 0


def test_a_message_of_another_run_is_read_with_one_detector():
    rng, reader = np.random.default_rng(1), mark_of(9)
    for message in (0, 1, 4711, 65535):
        mark = mark_of(9, message=str(message))
        assert reader.read(marked(mark, rng, 1.0))[0] == message


@pytest.mark.parametrize("layout", ["id:64", "id:33"])
def test_every_bit_of_a_long_message_is_carried(layout):
    rng = np.random.default_rng(2)
    top = (1 << int(layout[3:])) - 1
    for message in (top, top ^ 1, top >> 1, 0x55555555):
        mark = mark_of(3, "codes", layout, hex(message))
        codes = np.flatnonzero(mark.green_codes(0))
        read, probability, _ = mark.read(rng.choice(codes, 220, replace=False))
        assert read == message
        assert probability > 0.99
