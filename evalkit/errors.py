"""What evalkit says when something that the user can mend is wrong: one sentence, no traceback."""

from __future__ import annotations

# What Python raises where foreign data are not what a reader takes them for; a reader's one boundary catches all of it.
DAMAGED = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError, EOFError)


class EvalkitError(Exception):
    """A user's mistake or a missing prerequisite; the command line prints it and exits with 2.

    The message says what was given, what was expected and what to type next.
    """


class BadImage(EvalkitError):
    """One image that cannot be used; its sample is listed with this reason and the run goes on."""


class BadData(EvalkitError, ValueError):
    """A text, table or JSON document that is not what it should be; also a ValueError, so that readers of one kind of
    file can say what was expected instead.
    """


class WeightsError(EvalkitError):
    """A weight file that is missing, broken, refused, or made for another model."""


class MissingDependency(EvalkitError):
    """An optional package is needed; the message holds the pip line that brings it."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs packages that are not installed; type: pip install 'evalkit-ar[{extra}]'")
