"""A key ring: which marks a detector looks for, and when; keys are named by their files or variables alone."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from evalkit.errors import EvalkitError
from evalkit.watermark.spec import MarkSpec

State = Literal["active", "retired", "revoked"]
MOST_KEYS = 1000
SHAPES = {"id": r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", "key_id": r"[0-9a-f]{16}", "tokenizer": r"[^@]+@.+"}
HINT = "Mend it, or make the entry again with `evalkit watermark ring add`"


@dataclass(frozen=True)
class Entry:
    """A mark with its key on a ring.

    `id`: its name on the ring. `key`: a file (from the ring's folder) or env:NAME; `key_id`: which key lies there.
    `tokenizer`: identity, name@sha256. `state`: active marks are embedded and looked for, retired ones are looked for,
    revoked ones are not (their key is known to others, so finding them proves nothing). `since` and `until`: when they
    are looked for (ISO 8601). `frequencies`, `calibration`: files of `evalkit watermark calibrate`. `search`: what is tried
    where an image itself does not decide (`detection.search`).
    """

    id: str
    key_id: str
    key: str
    mark: MarkSpec
    tokenizer: str
    state: State = "active"
    since: str | None = None
    until: str | None = None
    frequencies: str | None = None
    calibration: str | None = None
    search: str = "none"

    def __post_init__(self) -> None:
        for name, shape in SHAPES.items():
            if not re.fullmatch(shape, getattr(self, name)):
                raise EvalkitError(f"{getattr(self, name)[:64]!r} is no {name} of an entry of a key ring. {HINT}")
        since, until = read_time(self.since), read_time(self.until)
        if since is not None and until is not None and since >= until:
            raise EvalkitError(f"the entry {self.id} ends before it begins. Give --until a later date than --from")
        object.__setattr__(self, "since", time_text(since))
        object.__setattr__(self, "until", time_text(until))

    def valid(self, now: datetime) -> bool:
        """Whether a detector looks for it at this time."""
        since, until = read_time(self.since), read_time(self.until)
        begun = since is None or since <= now
        return self.state != "revoked" and begun and (until is None or now < until)

    @property
    def tokenizer_name(self) -> str:
        """The tokenizer without its weights' digest."""
        return self.tokenizer.rpartition("@")[0]

    def as_dict(self) -> dict[str, Any]:
        """As the file holds it: `typed.built` makes it again."""
        return {**asdict(self), "mark": self.mark.as_dict()}


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

    def marking(self, now: datetime) -> Entry:
        """The entry that images are marked with at this time: the last active one."""
        active = [each for each in self.valid(now) if each.state == "active"]
        if not active:
            raise EvalkitError("the key ring has no active entry now. Type `evalkit watermark ring show`")
        return active[-1]

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
