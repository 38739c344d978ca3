"""What every page shares: one escaping template environment, the house's style, and a content security policy's hashes."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from evalkit.runs.store import write_bytes
from evalkit.text import visible


def environment(
    filters: Mapping[str, Callable[..., Any]], loader: jinja2.BaseLoader | None = None
) -> jinja2.Environment:
    """Templates that escape everything and fail on names that are missing; `visible` is always a filter."""
    made = jinja2.Environment(
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        finalize=_shown,
        loader=loader,
    )
    made.filters.update({"visible": visible, **filters})
    return made


def _shown(value: Any) -> Any:
    """The value; a method, which `facts.keys` gives where a mapping has that key, is no value of a page."""
    if callable(value) and not isinstance(value, jinja2.Undefined):
        raise TypeError(f"a page shows {getattr(value, '__qualname__', value)!r}, which is no value")
    return value


def csp_hash(text: str) -> str:
    """What a content security policy calls an inline text."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def house_style(further: str = "") -> str:
    """The style of all pages, and what a page adds to it."""
    return (package_files("evalkit.pages") / "report.css").read_text(encoding="utf-8") + further


def house_script() -> str:
    """What a page may do besides being read: filters, orders and a closer look at images."""
    return (package_files("evalkit.pages") / "report.js").read_text(encoding="utf-8")


def run_page(
    package: str,
    content: Mapping[str, Any],
    *,
    style: str = "",
    filters: Mapping[str, Callable[..., Any]] | None = None,
) -> str:
    """The page that page.html.jinja of `package` makes of `content`.

    It gets `style` (the house's and its own) and `style_hash`; `script` (the house's) and `script_hash`.
    """
    whole, script = house_style(style), house_script()
    text = (package_files(package) / "page.html.jinja").read_text(encoding="utf-8")
    template = environment(filters or {}).from_string(text)
    return template.render(
        style=Markup(whole), style_hash=csp_hash(whole), script=Markup(script), script_hash=csp_hash(script), **content
    )


def write_run_page(
    folder: Path,
    package: str,
    content: Mapping[str, Any],
    *,
    style: str = "",
    filters: Mapping[str, Callable[..., Any]] | None = None,
) -> Path:
    """Write `run_page` as `folder`/report.html and give its path back."""
    path = folder / "report.html"
    write_bytes(path, run_page(package, content, style=style, filters=filters).encode())
    return path
