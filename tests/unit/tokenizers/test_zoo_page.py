"""docs/zoo.md is what its script makes of the cards, and leaves no tokenizer out."""

import importlib.util
from pathlib import Path

from evalkit.tokenizers.registry import TOKENIZERS

ROOT = Path(__file__).parents[3]


def test_the_page_is_up_to_date_and_names_every_tokenizer():
    spec = importlib.util.spec_from_file_location("make_zoo_page", ROOT / "benchmarks" / "make_zoo_page.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    page = (ROOT / "docs" / "zoo.md").read_text(encoding="utf-8")
    assert page == script.page(), "type: python benchmarks/make_zoo_page.py"
    missing = [name for name in TOKENIZERS if f"\n### {name}\n" not in page]
    assert missing == []
