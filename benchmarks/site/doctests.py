"""An extension of griffe: examples of docstrings (`>>> …`) become blocks of Python, and so do not turn into quotations."""

from __future__ import annotations

import re
from typing import Any

from griffe import Docstring, Extension, Object

EXAMPLE = re.compile(r"^( *)>>> .*(?:\n.*\S.*)*", re.MULTILINE)  # up to the next empty line


class Examples(Extension):
    """Fences each example, in the lines where it stands."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Called for everything that has a docstring."""
        if isinstance(obj.docstring, Docstring):
            obj.docstring.value = fenced(obj.docstring.value)


def fenced(text: str) -> str:
    """The docstring with its examples in fences.

    >>> fenced("One.\\n\\n>>> 1 + 1\\n2")
    'One.\\n\\n```python\\n>>> 1 + 1\\n2\\n```'
    """
    return EXAMPLE.sub(lambda found: f"{found[1]}```python\n{found[0]}\n{found[1]}```", text)
