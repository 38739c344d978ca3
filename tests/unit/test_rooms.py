"""Imports point one way between rooms, and no module imports itself in a circle, also inside functions and for types."""

import ast
import collections
import graphlib
from pathlib import Path

import pytest

import evalkit

ROOT = Path(evalkit.__file__).parent
FLOORS = (  # a room imports its own floor and those below
    {
        *("text", "errors", "jsonio", "textfiles", "whole_files", "secret_files", "version", "moved", "lazy", "typed"),
        *("arrow", "registry", "device", "freed", "peak", "remote", "transport"),
    },
    {"metrics", "stats", "protocols", "images", "prompts", "weights"},
    {"tokenizers", "generators", "encoders", "judges", "world"},
    {"jobs", "pages", "runs"},
    {"tasks", "watermark", "erasure"},
    {"leaderboard", "provenance", "systems", "doctor", "campaigns", "callbacks"},
    {"cli", "__main__"},
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}


def modules():
    return {
        ".".join(("evalkit", *p.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__"): p
        for p in ROOT.rglob("*.py")
    }


def imported(path, known):
    """Modules of evalkit that a file imports anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            for name in node.names:
                full = f"{node.module}.{name.name}"
                yield full if full in known else node.module
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names)


@pytest.fixture(scope="module")
def graph():
    known = modules()
    arrows = collections.defaultdict(set)
    for module, path in known.items():
        arrows[module] = {each for each in imported(path, known) if each in known and each != module}
    return arrows


def room(module):
    return module.split(".")[1] if "." in module else None


def test_every_room_is_on_a_floor(graph):
    assert {room(module) for module in graph} - {None} <= set(FLOOR)


def test_no_arrow_points_up(graph):
    up = [
        (a, b) for a, found in graph.items() for b in found if room(a) and room(b) and FLOOR[room(a)] < FLOOR[room(b)]
    ]
    assert up == []


def test_no_module_imports_itself_in_a_circle(graph):
    try:
        tuple(graphlib.TopologicalSorter(graph).static_order())
    except graphlib.CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))
