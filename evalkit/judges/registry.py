"""Names of judges, and `load_judge`."""

from __future__ import annotations

import urllib.parse
from collections.abc import Callable

from evalkit.errors import EvalkitError
from evalkit.judges.base import Judge
from evalkit.registry import Registry

Load = Callable[[str], Judge]  # takes the device
HOW = "http:URL#MODEL, such as http:http://localhost:8000/v1#Qwen2.5-VL-7B-Instruct, transformers:REPO, or ocr:rapidocr"


def _nothing_to_import() -> None:
    return None


JUDGES: Registry[Load] = Registry("judge", _nothing_to_import, "evalkit.judges", "evalkit ls judges")


def load_judge(name: str, device: str = "auto") -> Judge:
    """The judge called `name`: an endpoint, a local model, or one of another package's entry point.

    `http:URL#MODEL?in_flight=4&snapshot=2025-04-14`: an OpenAI-compatible endpoint; the key comes from EVALKIT_API_KEY.
    `transformers:REPO`: a repository of the hub or a folder. `ocr:NAME`: a reader of text, such as rapidocr. Raises
    `EvalkitError` for an unknown name or address, and
    `WeightsError` where a local model cannot be had.
    """
    kind, colon, rest = name.partition(":")
    if kind == "http" and colon:
        return _endpoint(name, rest)
    if kind == "transformers" and rest:
        from evalkit.judges.local import TransformersJudge

        return TransformersJudge(rest, device)
    if kind == "ocr" and rest:
        from evalkit.judges.reader import reader_judge

        return reader_judge(rest, device)
    if name not in JUDGES:
        raise EvalkitError(f"there is no judge called {name!r}. Give {', '.join([*JUDGES, HOW])}")
    return JUDGES.get(name)(device)


def _endpoint(name: str, address: str) -> Judge:
    from evalkit.judges.endpoint import EndpointJudge

    url, _, rest = address.partition("#")
    model, _, settings = rest.partition("?")
    given = dict(urllib.parse.parse_qsl(settings))
    snapshot, flying = given.pop("snapshot", None), given.pop("in_flight", "8")
    if given or not model or not flying.isdecimal() or int(flying) < 1:
        raise EvalkitError(f"{name!r} names no judge. Give {HOW}; settings are ?in_flight=N&snapshot=TEXT")
    return EndpointJudge(url, model, snapshot=snapshot, in_flight=int(flying))
