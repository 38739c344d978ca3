"""A message of 8 to 64 bits over the same kind of lists: which list an image gets is the message.

The key makes a word of the message (`payload.scramble`). Every coin, a distinct code or with `carrier` places a place
with its code, has a colour by the key and belongs to some bits of the word (`payload.trellis`). It is green where its
colour is the parity of these bits. So each message is a list of fair coins. A quarter of the coins, the pilots, belong to no
bit. They say that some message is there even where none can be read.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from evalkit.errors import EvalkitError
from evalkit.generators.base import Step
from evalkit.watermark.keys import Key
from evalkit.watermark.mark import Codes, Colours, Mark, check_codes, raise_green
from evalkit.watermark.methods.subject import Subject
from evalkit.watermark.payload.capacity import PILOT
from evalkit.watermark.payload.fields import packed, read_layout, width
from evalkit.watermark.payload.reading import Coins, Roles
from evalkit.watermark.payload.scramble import Words, scramble_of
from evalkit.watermark.payload.trellis import Trellis
from evalkit.watermark.score import Scores, scores_of
from evalkit.watermark.spec import MarkSpec

Ints = npt.NDArray[np.int64]
DOMAIN = "evalkit-payload/1"
GOLDEN = (math.sqrt(5) - 1) / 2  # multiples of it, whole parts left out, fill [0, 1) evenly from the first on


class PayloadMark(Mark):
    """Reads any message; marks with that of its spec."""

    method, lists = "payload", 1

    def __init__(self, spec: MarkSpec, key: Key, tokenizer: str, vocabulary: int) -> None:
        self.spec, self.key, self.tokenizer, self.vocabulary = spec, key, tokenizer, vocabulary
        self.fields = read_layout(spec.layout or "")
        self.trellis = Trellis(width(self.fields))
        self.message = None if spec.message is None else packed(self.fields, spec.message)
        self.by_place = spec.carrier == "places"
        said = (DOMAIN, "scramble", tokenizer, spec.epoch or "0")
        self.scramble = scramble_of(key, self.trellis.bits, *said)
        self.word = None if self.message is None else self.scramble.word(self.message)
        self._asked: tuple[Words, Words] | None = None
        self._colours: list[Colours] = []  # by place
        self._roles = self._drawn(0 if self.by_place else vocabulary)

    def as_dict(self) -> dict[str, Any]:
        """Method, layout, carrier, the message where one is embedded, and key_id."""
        return {**self.spec.as_dict(), "key_id": self.key.id}

    def list_of(self, what: str | int) -> int:
        """0; raises `EvalkitError` where there is no message to mark with."""
        if self.message is None:
            fields = ", ".join(field.name for field in self.fields)
            raise EvalkitError(f"the method payload marks with a message of {fields}. Give --message NAME=NUMBER,…")
        return 0

    def score(self, codes: Codes) -> Scores:
        """Whether any message is there; `green` are the coins of the likeliest one."""
        return scores_of([self._row(np.asarray(each, dtype=np.int64)) for each in codes])

    def coins(self, codes: Codes) -> Coins:
        """The coins of one image's codes [N]."""
        return self._coins(*self.distinct(np.asarray(codes, dtype=np.int64))[:2])

    def evidence(self, codes: Codes, green: Ints) -> Ints:
        """How surely any message is there, by pilots or by the best one."""
        return np.array([self.coins(each).weight() for each in codes], np.int64)

    def read(self, codes: Codes, among: Words | None = None) -> tuple[int, float, float]:
        """(message, probability, log p) of codes [N]: the likeliest of all, or of the messages `among`, uint64 [C]."""
        coins = self.coins(codes)
        found = coins.read() if among is None else coins.among(self._words(among))
        return self.scramble.message(found.word), found.probability, found.log_p

    def _words(self, among: Words) -> Words:
        """Words of messages; those asked for last are kept, for a folder is asked about one set of them."""
        if self._asked is None or self._asked[0] is not among:
            self._asked = among, self.scramble.words(among)
        return self._asked[1]

    def colours(self, codes: Codes, list_id: int) -> Colours:
        """Green under the message, or under the one that is read from these codes where none is given."""
        given = np.asarray(codes, dtype=np.int64)
        word = self.word if self.word is not None else self.coins(given).presence()[0]
        places = np.arange(len(given))
        odd = self._parity(places if self.by_place else given, word)
        return np.asarray((odd == self._shown(places, given)) & (given >= 0))

    def units(self, codes: Codes) -> Ints:
        """The code, by places with its place, as one number."""
        now = np.asarray(codes, dtype=np.int64)
        return np.where(now < 0, -1, now + (np.arange(len(now)) * self.vocabulary if self.by_place else 0))

    def bias(self, logits: Tensor, step: Step, delta: float) -> Tensor:
        """Green logits raised."""
        green = (self._green_at(step.positions) if self.by_place else self.green_codes(0))[None]
        return raise_green(logits, np.repeat(green, len(logits), 0), delta)

    def green_places(self, list_id: int, count: int) -> Colours:
        """bool [V], by places [count, V]: what the message makes green."""
        if not self.by_place:
            return self.green_codes(list_id)
        return self._green_at(range(count))

    def green_codes(self, list_id: int) -> Colours:
        """bool [V]; raises `EvalkitError` by places, where there is no one list."""
        if self.by_place:
            raise EvalkitError("a message by places has no one list for all of them; give --carrier codes")
        self.list_of(0)
        every = np.arange(self.vocabulary)
        return np.asarray(self._parity(every, self.word or 0) == self._shown(every, every))

    def _green_at(self, places: Sequence[int]) -> Colours:
        """bool [n, V]."""
        self.list_of(0)
        odd = self._parity(np.array(places, dtype=np.int64), self.word or 0)
        return np.stack([self._colours_at(place) == shows for place, shows in zip(places, odd, strict=True)])

    def _row(self, codes: Ints) -> tuple[float, ...]:
        places, distinct, counts = self.distinct(codes)
        coins = self._coins(places, distinct)
        word, green, log_p, floor = coins.presence()
        n, u = int(counts.sum()), len(counts)
        bright = self._parity(places if self.by_place else distinct, word) == self._shown(places, distinct)
        z = float(2 * counts[bright].sum() - n) / math.sqrt(n) if n else 0.0
        effect = float((counts.astype(np.float64) ** 2).sum() / n) if n else 0.0
        return n, u, effect, 0, green, log_p, log_p, floor, z

    def distinct(self, codes: Ints) -> tuple[Ints, Ints, Ints]:
        """(place, code, how often) of each coin."""
        check_codes(codes, self.vocabulary)
        if self.by_place:
            places = np.flatnonzero(codes >= 0)
            return places, codes[places], np.ones(len(places), np.int64)
        distinct, counts = np.unique(codes[codes >= 0], return_counts=True)
        return np.zeros(len(distinct), np.int64), distinct, counts

    def _coins(self, places: Ints, codes: Ints) -> Coins:
        at, (pilots, windows, masks) = (places if self.by_place else codes), self._roles_to(places)
        return Coins.of(self.trellis, (pilots[at], windows[at], masks[at]), self._shown(places, codes))

    def _parity(self, at: Ints, word: int) -> Colours:
        """bool: whether the word has an odd number of the bits that belong to the codes, or places, `at`."""
        _, windows, masks = self._roles_to(at)
        bits = word >> self.trellis.shifts.astype(object)  # 64 bits fill no signed integer
        windowed = np.array([int(each) & ((1 << self.trellis.span) - 1) for each in bits])
        found: Colours = (np.bitwise_count(windowed[windows[at]] & masks[at]) & 1).astype(bool)
        return found

    def _shown(self, places: Ints, codes: Ints) -> Colours:
        """bool: the colours of codes at places, for any message."""
        if not self.by_place:
            return np.asarray(self._colours_at(0)[np.maximum(codes, 0)])
        rows = [self._colours_at(int(place))[max(int(code), 0)] for place, code in zip(places, codes, strict=True)]
        return np.array(rows, dtype=bool)

    def _colours_at(self, place: int) -> Colours:
        """bool [V]: the colours of all codes at a place; without places those of place 0 hold everywhere."""
        while len(self._colours) <= place:
            said = (DOMAIN, "colour", self.tokenizer, self.spec.epoch or "0", len(self._colours))
            words = self.key.numbers(-(-self.vocabulary // 64), *said)
            self._colours.append(np.unpackbits(words.astype(">u8").view(np.uint8))[: self.vocabulary].astype(bool))
        return self._colours[place]

    def _roles_to(self, at: Ints) -> Roles:
        """Roles of all codes, or of enough places."""
        if self.by_place and len(at) and int(at.max()) >= len(self._roles[0]):
            self._roles = self._drawn(2 * int(at.max()) + PILOT)
        return self._roles

    def _drawn(self, count: int) -> Roles:
        """Of codes, or of places, from 0."""
        return self.roles(self.key.numbers(count, DOMAIN, "roles", self.tokenizer, self.spec.epoch or "0"))

    def roles(self, draws: Words) -> Roles:
        """Whether a pilot, the window, a mask of its bits, by secret numbers of codes, or of all places from 0 on."""
        if self.by_place:  # one pilot of each four, and windows that any first places fill evenly
            places = np.arange(len(draws))
            four = places // PILOT * PILOT
            pilot = places - four == (draws[four] >> np.uint64(62)).astype(np.int64)
            uniform = np.cumsum(~pilot) * GOLDEN % 1
        else:
            pilot = draws >> np.uint64(62) == 0
            uniform = ((draws >> np.uint64(32)) & np.uint64(2**30 - 1)).astype(np.float64) / 2**30
        windows = self.trellis.windows(uniform)
        masks = (draws & np.uint64((1 << self.trellis.span) - 1)).astype(np.int64)
        masks = np.where(pilot, 0, np.maximum(masks, 1))
        return pilot, windows, masks


def payload(spec: MarkSpec, key: Key, subject: Subject) -> Mark:
    """The mark that carries a message in the codes of `subject`."""
    return PayloadMark(spec, key, subject.tokenizer, subject.indices("payload"))


def payload_marks(mark: Mark) -> Sequence[PayloadMark]:
    """The marks of a mark, or of several, that carry messages."""
    return [each for each in getattr(mark, "marks", (mark,)) if isinstance(each, PayloadMark)]
