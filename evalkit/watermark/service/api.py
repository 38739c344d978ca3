"""What the OpenAPI document says of the routes, and the page that shows it without a network."""

from __future__ import annotations

import json
from typing import Any

import jinja2

from evalkit.watermark.service.answers import schema

ANSWER = {name: value for name, value in schema().items() if not name.startswith("$")}
ERROR: dict[str, Any] = {
    "type": "object",
    "required": ["error"],
    "properties": {"error": {"type": "string", "description": "One sentence"}},
}
LOST = {  # a line of a batch
    **ERROR,
    "required": ["error", "image"],
    "properties": {
        **ERROR["properties"],
        "image": {"type": "object", "properties": {"id": {"type": ["string", "null"]}}},
    },
}
BINARY = {"type": "string", "format": "binary"}


def _said(description: str, form: dict[str, Any], media: str = "application/json") -> dict[str, Any]:
    return {"description": description, "content": {media: {"schema": form}}}


REFUSALS: dict[int | str, dict[str, Any]] = {
    400: _said("The request is not understood", ERROR),
    408: _said("The body did not arrive in time", ERROR),
    413: _said("The body or an image is too large", ERROR),
    429: _said("The client has asked about as many images as it may; Retry-After says when it may again", ERROR),
    503: _said("Busy, or answers cannot be logged; Retry-After says when to ask again", ERROR),
}
IMAGE: dict[str, Any] = {
    "summary": "Look for watermarks in one image",
    "description": "The body is the image file itself: PNG, JPEG, WebP, GIF, BMP, TIFF, PNM or AVIF.",
    "responses": {200: _said("What is said of the image", ANSWER), **REFUSALS},
    "openapi_extra": {"requestBody": {"required": True, "content": {"application/octet-stream": {"schema": BINARY}}}},
}
BATCH: dict[str, Any] = {
    "summary": "Look for watermarks in several images",
    "description": "The files of a form, under any names. Answers come in their order, a JSON line each, when they are known.",
    "responses": {
        200: _said("A line for each image: an answer, or an error", {"oneOf": [ANSWER, LOST]}, "application/x-ndjson"),
        415: _said("The body is no form", ERROR),
        **REFUSALS,
    },
    "openapi_extra": {
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {
                    "schema": {"type": "object", "properties": {"image": {"type": "array", "items": BINARY}}}
                }
            },
        }
    },
}
HEALTH: dict[str, Any] = {
    "summary": "Whether the service answers, and by which key ring",
    "responses": {
        200: _said(
            "It answers",
            {
                "type": "object",
                "properties": {name: {"type": "string"} for name in ("status", "evalkit", "ring")},
            },
        )
    },
}
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{{ api.info.title }}</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
pre{background:#8881;padding:.8rem;overflow:auto}table{border-collapse:collapse}td{padding:.2rem .8rem .2rem 0}</style>
<h1>{{ api.info.title }}</h1><p>evalkit {{ api.info.version }}. <a href="openapi.json">openapi.json</a>,
<a href="v1/schema">schema of an answer</a>.</p>
<pre>curl --data-binary @image.png {{ "URL/v1/image" }}
curl -F image=@one.png -F image=@two.png URL/v1/images</pre>
<p>“Not found” does not mean “not generated”: other generators, other keys and strong edits leave nothing to find.</p>
{% for path, methods in api.paths.items() %}{% for method, route in methods.items() %}
<h2>{{ method | upper }} {{ path }}</h2><p>{{ route.summary }}. {{ route.description }}</p><table>
{% for status, said in route.responses.items() %}<tr><td>{{ status }}<td>{{ said.description }}{% endfor %}</table>
{% endfor %}{% endfor %}
<h2>An answer</h2><pre>{{ answer }}</pre></html>
"""


def api_page(api: dict[str, Any]) -> str:
    """The OpenAPI document as a page for people."""
    page = jinja2.Environment(autoescape=True, undefined=jinja2.ChainableUndefined).from_string(PAGE)
    return page.render(api=api, answer=json.dumps(ANSWER, indent=1))
