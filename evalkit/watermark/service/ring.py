"""A key ring: which marks a detector looks for, and when; keys are named by their files or variables alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from evalkit.errors import EvalkitError
from evalkit.watermark.spec import MarkSpec

State = Literal["active", "retired", "revoked"]
STATES: tuple[State, ...] = get_args(State)
MOST_KEYS = 1000
FIELDS = ("id", "key_id", "key", "mark", "tokenizer", "state", "from", "until", "frequencies", "calibration")
HINT = "mend it, or make the entry again with `evalkit watermark ring add`"


@dataclass(frozen=True)
class Entry:
    """A mark with its key on a ring.

    `id`: its name on the ring. `key`: a file (from the ring's folder) or env:NAME; `key_id`: which key lies there.
    `tokenizer`: identity, name@sha256. `state`: active marks are embedded and looked for, retired ones are looked for,
    revoked ones are not (their key is known to others, so finding them proves nothing). `since` and `until`: when they
    are looked for. `frequencies`, `calibration`: files of `evalkit watermark calibrate`.
    """

    id: str
    key_id: str
    key: str
    mark: MarkSpec
    tokenizer: str
    state: State = "active"
    since: datetime | None = None
    until: datetime | None = None
    frequencies: str | None = None
    calibration: str | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", self.id):
            raise EvalkitError(f"{self.id!r} names no entry of a key ring. Give letters, digits, dots and dashes")
        if self.since is not None and self.until is not None and self.since >= self.until:
            raise EvalkitError(f"the entry {self.id} ends before it begins. Give --until a later date than --from")

    def valid(self, now: datetime) -> bool:
        """Whether a detector looks for it at this time."""
        begun = self.since is None or self.since <= now
        return self.state != "revoked" and begun and (self.until is None or now < self.until)

    @property
    def tokenizer_name(self) -> str:
        """The tokenizer without its weights' digest."""
        return self.tokenizer.rpartition("@")[0]

    def as_dict(self) -> dict[str, Any]:
        """As the file holds it."""
        said = {name: getattr(self, name, None) for name in FIELDS if name not in ("mark", "from", "until")}
        times = {"from": time_text(self.since), "until": time_text(self.until)}
        return {**said, **times, "mark": self.mark.as_dict()}

    @classmethod
    def from_dict(cls, said: Mapping[str, Any]) -> Entry:
        """What `as_dict` gave; raises `EvalkitError` for anything else."""
        if not isinstance(said, Mapping) or set(said) != set(FIELDS):
            raise EvalkitError(f"an entry has the fields {', '.join(FIELDS)} and no others; {HINT}")
        texts = {name: said[name] for name in FIELDS if name != "mark"}
        optional = ("from", "until", "frequencies", "calibration")
        if any(not isinstance(text, str) and not (name in optional and text is None) for name, text in texts.items()):
            raise EvalkitError(f"an entry holds something that is no text; {HINT}")
        if not re.fullmatch(r"[0-9a-f]{16}", said["key_id"]) or not re.fullmatch(r"[^@]+@.+", said["tokenizer"]):
            raise EvalkitError(f"the entry {said['id'][:64]!r} names no key or no tokenizer; {HINT}")
        if said["state"] not in STATES or not isinstance(said["mark"], Mapping):
            raise EvalkitError(f"the entry {said['id'][:64]!r} has no mark, or a state beside {STATES}; {HINT}")
        since, until = read_time(said["from"]), read_time(said["until"])
        plain = {name: said[name] for name in ("id", "key_id", "key", "tokenizer", "frequencies", "calibration")}
        return cls(**plain, mark=MarkSpec.from_dict(said["mark"]), state=said["state"], since=since, until=until)


@dataclass(frozen=True)
class Ring:
    """Entries with different ids. `digest`: the sha256 of the file that they were read from."""

    entries: tuple[Entry, ...] = ()
    digest: str = ""

    def __post_init__(self) -> None:
        ids = [each.id for each in self.entries]
        if len(ids) > MOST_KEYS:
            raise EvalkitError(f"a key ring holds at most {MOST_KEYS} keys; {len(ids)} given. Part it")
        if twice := next((id for id in ids if ids.count(id) > 1), None):
            raise EvalkitError(f"the key ring names {twice} twice. Give each entry an id of its own")

    def valid(self, now: datetime) -> tuple[Entry, ...]:
        """The entries that a detector looks for at this time."""
        return tuple(each for each in self.entries if each.valid(now))

    def find(self, id: str) -> Entry:
        """The entry called `id`."""
        found = next((each for each in self.entries if each.id == id), None)
        if found is None:
            known = ", ".join(each.id for each in self.entries[:8]) or "none"
            raise EvalkitError(f"the key ring has no entry {id!r}; it has {known}. Type `evalkit watermark ring show`")
        return found

    def added(self, entry: Entry) -> Ring:
        """With one more entry."""
        return Ring((*self.entries, entry))

    def changed(self, entry: Entry) -> Ring:
        """With this entry in the place of the one of its id."""
        self.find(entry.id)
        return Ring(tuple(entry if each.id == entry.id else each for each in self.entries))


def read_time(text: str | None) -> datetime | None:
    """A date or a time of ISO 8601, UTC where it names no zone; None for None.

    >>> read_time("2026-12-01").isoformat()
    '2026-12-01T00:00:00+00:00'
    """
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise EvalkitError(f"{text[:40]!r} is no time. Give a date such as 2026-12-01, or 2026-12-01T12:00Z") from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)


def time_text(time: datetime | None) -> str | None:
    """A time as records hold it."""
    return None if time is None else time.astimezone(UTC).isoformat().replace("+00:00", "Z")
