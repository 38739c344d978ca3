"""Every command and program of README and docs is typed, page by page, and prints what its page shows."""

import re
import shutil

import pytest
from helpers.pages.endpoint import endpoint
from helpers.pages.forked import Forked
from helpers.pages.form import difference
from helpers.pages.rules import read_rules
from helpers.pages.steps import ROOT, Step, pages, steps
from helpers.pages.walk import Walk

RULES = read_rules()
FAST = ("systems.md", "protocols.md", "python.md", "cli.md", "campaigns.md", "speed.md")  # the others are slow
STEPS = {name: steps(name) for name in pages()}


class Stage:
    """One server of commands, one fake endpoint, and a folder of runs that pages share, made when a page needs it."""

    def __init__(self, home, forked, judge):
        self.home, self.forked, self.judge = home, forked, judge

    def walk(self, name):
        """The page with its inputs, in a folder of its own."""
        shared = self.home / "shared"
        if not shared.exists() and "{shared}" in str(RULES.page(name)):
            self._prepared("shared")
        return self._prepared(name)

    def _prepared(self, name):
        folder = self.home / name
        shutil.rmtree(folder, ignore_errors=True)  # of an earlier try
        folder.mkdir()
        values = {"root": str(ROOT), "shared": str(self.home / "shared"), "judge": self.judge}
        walk = Walk(name, folder, self.forked, RULES, values)
        walk.prepare()
        return walk


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    forked = Forked()
    with endpoint() as judge:
        yield Stage(tmp_path_factory.mktemp("pages"), forked, judge)
    forked.close()


def marked(name):
    return pytest.param(name, id=name, marks=() if name in FAST else pytest.mark.slow)


@pytest.mark.parametrize("name", [marked(name) for name, found in STEPS.items() if found])
def test_a_page_does_what_it_says(stage, name):
    walk = stage.walk(name)
    problems = [found for step in STEPS[name] if (found := walk.step(step))]
    stage.forked.rest()
    assert not problems, "\n\n".join(problems)


def test_what_is_not_run_is_named_with_its_reason():
    skipped = {step: RULES.rule(step).skip for found in STEPS.values() for step in found if RULES.rule(step).skip}
    assert set(skipped.values()) == set(RULES.reasons)
    ours = [str(step) for step in skipped if step.text.startswith("evalkit")]
    assert len(ours) <= 2, ours
    assert sum(1 for found in STEPS.values() for _ in found) - len(skipped) > 250


def test_rules_are_of_commands_that_pages_have():
    used = {id(RULES.rule(step)) for found in STEPS.values() for step in found}
    written = [rule for page in RULES.pages.values() for rule in page.rules] + [*RULES.everywhere]
    assert [rule.start for rule in written if id(rule) not in used] == []
    assert set(RULES.pages) - {"shared"} <= set(STEPS)
    assert {rule.stops for rule in written if rule.stops} == set(RULES.stops)


def test_a_new_block_is_run():
    assert not RULES.rule(Step("score.md", 9, "command", "evalkit score --images NEW")).skip


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("PSNR 34.10 dB, n = 9", "PSNR  3.1 dB,\nn = 12", True),
        ("key 007735a6f77e99ef…", "key 1b7735a6f77e99ee…", True),
        ("detected 14\n …\nat the end", "detected 3\nmore\nand more\nat the end", True),
        ("detected 14", "not detected 14", False),
        ("one line", "one line\nand another", False),
        ("first\n…\nlast", "first", False),
    ],
)
def test_output_agrees_in_words_and_order_but_not_in_numbers(shown, printed, same):
    assert (difference(shown, printed) is None) == same


def test_the_parts_of_a_page_are_found():
    found = steps("provenance.md")
    assert any(step.text.startswith("python - <<'END'") and step.text.endswith("END") for step in found)
    assert any("level 5 of 5" in step.shown for step in found)
    assert sum(step.kind == "python" for step in found) == 1
    assert any(re.search(r"\\\n", step.text) for step in steps("runners.md"))
