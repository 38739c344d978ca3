"""Links of README, docs and the other pages of the repository: every file and every heading that they name is there."""

import re

import pytest

from .site import ROOT, hook

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
LINK = re.compile(r"(?<!`)!?\[[^\]\[]*\]\(([^)\s]+)\)")
CODE = re.compile(r"^( *)```.*?^\1```|`[^`\n]*`", re.MULTILINE | re.DOTALL)


def slug(heading):
    """The address of a heading, as the toc extension of Markdown makes it."""
    text = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", text).strip().lower())


def addresses(path):
    text = path.read_text(encoding="utf-8")
    if path.name == "cli.md":
        text = hook("commands").on_page_markdown(text)
    return {slug(found) for found in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}


@pytest.mark.parametrize("path", PAGES, ids=lambda each: each.name)
def test_every_link_leads_somewhere(path):
    wrong = []
    for target in LINK.findall(CODE.sub("", path.read_text(encoding="utf-8"))):
        if re.match(r"https://[\w.-]+\.[a-z]+(/|$)", target) or target.startswith("mailto:"):
            continue
        file, _, anchor = target.partition("#")
        there = (path.parent / file).resolve() if file else path
        inside = there.is_relative_to(ROOT) and there.exists()
        if not inside or (anchor and there.suffix == ".md" and anchor not in addresses(there)):
            wrong.append(target)
    assert wrong == []


def test_headings_have_the_addresses_of_the_site():
    assert slug("What each level of `verify` proves") == "what-each-level-of-verify-proves"
    assert slug("Shared samples: `--common`") == "shared-samples-common"
    assert slug("results.json") == "resultsjson"


def test_a_link_to_nothing_is_found(tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    page = tmp_path / "a.md"
    for target in ("b.md", "a.md#none", "http://plain.example/", "../a.md"):
        page.write_text(f"# A\n\n[b]({target})\n")
        with pytest.raises(AssertionError):
            test_every_link_leads_somewhere(page)
    page.write_text("# A\n\n[b](a.md#a) `[c](d.md)`\n")
    test_every_link_leads_somewhere(page)
