"""Damaged bytes, the same for the same seed: what a fuzz of readers feeds."""

import random

EXTREMES = (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\1", b"\xff\xff", b"\0")
WORDS = (
    b"NaN",
    b"1e999",
    b"-1",
    b"null",
    b"true",
    b"{}",
    b"[[",
    b'"',
    b"\\ud800",
    b"\xe2\x80\xa8",
    b"9" * 400,
    b"[" * 3000,
)


def mutated(data, seed, *, words=False):
    """A few random changes: bits, bytes, extreme numbers, pieces cut, doubled or moved; `words` of JSON where it is text."""
    rng = random.Random(seed)
    found = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 12))):
        at = rng.randrange(len(found) + 1)
        way = rng.randrange(8 if words else 7)
        if way == 0 and at < len(found):
            found[at] ^= 1 << rng.randrange(8)
        elif way == 1:
            extreme = rng.choice(EXTREMES)
            found[at : at + len(extreme)] = extreme
        elif way == 2:
            found[at : at + rng.randrange(1, 40)] = rng.randbytes(rng.randrange(1, 40))
        elif way == 3:
            del found[at : at + rng.randrange(1, 1 + len(found) // 4 + 1)]
        elif way == 4:
            piece = bytes(found[at : at + rng.randrange(1, 64)])
            found[at:at] = piece * rng.choice((1, 2, 50))
        elif way == 5:
            del found[at:]
        elif way == 6:
            found[at:at] = rng.randbytes(rng.randrange(1, 16))
        else:
            found[at : at + rng.randrange(8)] = rng.choice(WORDS)
    return bytes(found)
