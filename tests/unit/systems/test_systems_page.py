"""docs/systems.md is what its script makes of the cards, and leaves no system out."""

import importlib.util
from pathlib import Path

from evalkit.systems import list_systems

ROOT = Path(__file__).parents[3]


def test_the_page_is_up_to_date_and_names_every_system():
    spec = importlib.util.spec_from_file_location("make_systems_page", ROOT / "benchmarks" / "make_systems_page.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    page = (ROOT / "docs" / "systems.md").read_text(encoding="utf-8")
    assert page == script.page(), "type: python benchmarks/make_systems_page.py"
    assert [card.id for card in list_systems() if f"/{card.arxiv})" not in page] == []
