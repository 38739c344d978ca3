"""Prompts, ids, names, columns and errors that would act if they were taken for anything but text."""

import pytest

from evalkit.pages.view import write_view

HOSTILE = (
    "<img src=x onerror=\"window.hit='img'\"><script>window.hit='script'</script>",
    "</script><script>window.hit='end'</script>",
    "'\"><svg onload=window.hit='svg'>",
    "javascript:window.hit='js'",
    "\u202emirror\u202c \u2066isolated\u2069 \u200fאב\u200e",
    "null\0 bell\x07 escape\x1b[31m line\u2028 paragraph\u2029 delete\x7f",
    "{{7*7}} ${window.hit='tpl'} `${1}` \\u003cb\\u003e &lt;b&gt; %3Cb%3E",
    "مرحبا 你好 👩‍👩‍👧 e\u0301",
)


@pytest.mark.parametrize("look", ["gallery", "table"])
def test_hostile_texts_show_as_text_everywhere(show, tmp_path, look, make):
    n = 2 * len(HOSTILE)
    columns = {
        "id": [f"{i} {text}" for i, text in enumerate(HOSTILE * 2)],
        "prompt": [*HOSTILE, *HOSTILE],
        "error": [None] * (n - 1) + [HOSTILE[0]],
        HOSTILE[0]: [float(i) for i in range(n)],
        HOSTILE[2]: [bool(i % 2) for i in range(n)],
        "kind": [HOSTILE[i % 2] for i in range(n)],
        "constructor": ["__proto__"] * n,
        "__proto__": [0.5 * i for i in range(n)],
    }
    runs = [make.run(tmp_path / f"run {i} <b>&'#", HOSTILE[i], n, columns) for i in (0, 1)]
    page = write_view(runs, tmp_path / "view <i>'")
    for hash in (f"#look={look}", f"#look={look}&run=0&beside=1"):
        tab = show(page, hash, height=3000)
        assert tab.count == f"{n} samples"
        shown = tab.run("document.body.innerText")
        assert "onerror=" in shown
        assert "\\u202emirror" in shown
        assert not set("\u202e\u202c\u2066\u2069\u200f\0\x07\x1b\u2028\u2029\x7f") & set(shown)
        for position in range(n):
            tab.run(f"document.querySelector('[data-position=\"{position}\"]').click()")
            assert tab.run("document.querySelectorAll('dialog img, dialog script, dialog svg').length") == 0
            asked = tab.run("document.querySelector('dialog .texts dd').textContent")
            assert not set("\u202e\u2066\u200f\0\x1b\u2028") & set(asked)
            tab.run("document.querySelector('dialog').close()")
        tab.choose("kind", HOSTILE[1])
        assert tab.count == f"{n // 2} of {n} samples"
        assert tab.run("document.querySelectorAll('script:not([src]), svg, img[src=x]').length") == 0
