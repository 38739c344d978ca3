import base64
import hashlib
import re
from pathlib import Path

import jinja2
import pytest

import evalkit
from evalkit.jobs.timers import Timers
from evalkit.pages.html import csp_hash, environment, house_style


def test_templates_escape_and_show_control_characters():
    page = environment({}).from_string("<p>{{ text | visible }}</p>").render(text="<script>\x07")
    assert "<script>" not in page
    assert "\x07" not in page


def test_a_missing_name_is_an_error():
    with pytest.raises(jinja2.UndefinedError):
        environment({}).from_string("{{ absent }}").render()


def test_a_method_in_the_place_of_a_value_is_an_error():
    with pytest.raises(TypeError, match="is no value"):
        environment({}).from_string("{{ facts.keys }}").render(facts={"keys": 3})
    assert environment({}).from_string("{{ facts['keys'] }}").render(facts={"keys": 3}) == "3"


def test_the_hash_is_that_of_content_security_policies():
    wanted = base64.b64encode(hashlib.sha256(b"a{}").digest()).decode()
    assert csp_hash("a{}") == f"sha256-{wanted}"
    assert house_style("a{}").endswith("a{}")


def test_a_record_of_time_says_rate_and_bound():
    timers = Timers()
    timers.seconds = {"read": 1.0, "encode": 3.25}
    timers.started -= 10
    said = timers.record(20)
    assert said["seconds"] == {"read": 1.0, "encode": 3.25}
    assert said["bound_by"] == "encode"
    assert said["images_per_second"] == pytest.approx(2.0, rel=0.05)


def test_what_scrolls_sideways_can_be_reached_by_the_keyboard_and_has_a_name():
    root = Path(evalkit.__file__).parent
    found = [
        (path, tag)
        for path in root.rglob("*.jinja")
        for tag in re.findall(r'<div class="scroll"[^>]*>', path.read_text())
    ]
    assert len(found) > 10
    for path, tag in found:
        assert 'tabindex="0"' in tag, path
        assert 'role="region"' in tag, path
        assert "aria-label" in tag, path


OWN_PHONES = ("ranking", "overview", "contents", "compare", "failed")  # tables with a layout of their own for a phone


def test_wide_tables_of_pages_stack_on_a_phone_with_a_name_for_each_number():
    found = {}
    for file in sorted(Path(evalkit.__file__).parent.rglob("*.jinja")):
        for classes, head, row in re.findall(
            r"<table([^>]*)>(.*?)</thead>(.*?)</tr>", file.read_text("utf-8"), re.DOTALL
        ):
            columns = len(re.findall('<th scope="col"', head))
            if columns > 4 and "data-sort-rows" not in classes and not any(each in classes for each in OWN_PHONES):
                found[f"{file.parent.name}: {' '.join(re.findall('>([^<>{}]+)</th>', head)[:3])}"] = (classes, row)
    assert len(found) >= 9
    for name, (classes, row) in found.items():
        assert "stacked" in classes, name
        named = len(re.findall("data-l=", row))
        assert named or "whole" in row, name
