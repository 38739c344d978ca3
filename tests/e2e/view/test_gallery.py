"""The gallery and table of one run: content, filters, orders, keys, and one sample in full."""

import numpy as np
import pytest

from evalkit.pages.view import write_view


def generated(make, folder, name, seed, rows=60):
    """A generation: sample 3 failed, sample 7 scores best, every third or fourth is correct."""
    score = np.random.default_rng(seed).uniform(0, 0.9, rows).round(3)
    score[7] = 0.99
    columns = {
        "id": [f"{i:05d}-00" for i in range(rows)],
        "prompt": [f"a {'red' if i % 2 else 'blue'} apple, number {i}" for i in range(rows)],
        "seed": list(range(rows)),
        "file": [None if i == 3 else f"images/{i:07d}.png" for i in range(rows)],
        "error": ["no memory <left>" if i == 3 else None for i in range(rows)],
        "correct": [None if i == 3 else i % (seed + 2) == 0 for i in range(rows)],
        "score": [None if i == 3 else float(score[i]) for i in range(rows)],
    }
    make.run(folder, name, rows, columns)
    for i, file in enumerate(columns["file"]):
        if file:
            make.image(folder / file, seed * 1000 + i)
    return folder, columns


@pytest.fixture(scope="module")
def drawn(tmp_path_factory, make):
    home = tmp_path_factory.mktemp("runs")
    a, left = generated(make, home / "a b#1", "first", 1)
    b, right = generated(make, home / "b", "second <b>", 2)
    return write_view([a, b], home / "view"), left, right


def test_the_gallery_shows_prompts_images_verdicts_and_failures(drawn, show):
    page, columns, _ = drawn
    tab = show(page)
    assert tab.count == "60 samples"
    assert tab.titles[:3] == columns["prompt"][:3]
    tab.wait("[...document.querySelectorAll('.slot img')].every((i) => i.complete && i.naturalWidth === 24)")
    assert "no memory <left>" in tab.run("document.querySelectorAll('.tile')[3].textContent")
    assert "✓ correct" in tab.run("document.querySelectorAll('.tile')[0].textContent")
    assert tab.run("document.querySelectorAll('.tile')[3].getAttribute('aria-label')").endswith("failed")
    assert tab.run("document.documentElement.scrollWidth <= innerWidth")


def test_filters_by_words_verdict_status_and_range_add_up(drawn, show):
    page, columns, _ = drawn
    tab = show(page)
    tab.choose("Search", "RED apple")
    assert tab.count == "30 of 60 samples"
    tab.choose("correct", "yes")
    wanted = [i for i in range(60) if i % 2 and i % 3 == 0 and i != 3]
    assert tab.count == f"{len(wanted)} of 60 samples"
    tab.press("Add a range")
    tab.run("""(() => {
        const [low, high] = document.querySelectorAll(".range input");
        low.value = "0.2"; low.dispatchEvent(new Event("input"));
        high.value = "0.8"; high.dispatchEvent(new Event("input"));
    })()""")
    fit = [i for i in wanted if 0.2 <= columns["score"][i] <= 0.8]
    assert 0 < len(fit) < len(wanted)
    assert tab.count == f"{len(fit)} of 60 samples"
    tab.wait("location.hash.includes('in.score=0.2..0.8')")
    again = show(page, tab.run("location.hash"))
    assert again.count == tab.count
    tab.press("Reset")
    tab.choose("status", "failed")
    assert tab.count == "1 of 60 samples"
    tab.choose("Search", "no such words")
    assert tab.count == "None of 60 samples fits these filters"


def test_every_column_sorts_and_samples_without_value_come_last(drawn, show):
    page, columns, _ = drawn
    tab = show(page, "#look=table", height=6000)
    assert tab.ids == columns["id"]
    heads = tab.run("[...document.querySelectorAll('#head button')].map((b) => b.textContent)")
    assert heads == ["id", "prompt", "error", "correct", "score", "seed"]
    tab.press("score", "#head")
    scores = [columns["score"][i] for i in range(60)]
    falling = sorted((i for i in range(60) if i != 3), key=lambda i: -scores[i])
    assert tab.ids == [columns["id"][i] for i in [*falling, 3]]
    assert tab.run("document.querySelector('#head [aria-sort=descending]').textContent") == "score ↓"
    tab.press("score ↓", "#head")
    rising = sorted((i for i in range(60) if i != 3), key=lambda i: scores[i])
    assert tab.ids == [columns["id"][i] for i in [*rising, 3]]
    tab.press("prompt", "#head")
    asked = tab.run("[...document.querySelectorAll('.row .cell:nth-child(3)')].map((n) => n.textContent)")
    numbers = [int(text.split()[-1]) for text in asked]
    assert numbers == [*range(0, 60, 2), *range(1, 60, 2)]  # blue before red, 2 before 10
    tab.press("error", "#head")
    assert tab.ids[0] == "00003-00"


def test_keys_move_open_and_close_and_focus_comes_back(drawn, show):
    page, columns, _ = drawn
    tab = show(page)
    tab.key("/")
    assert tab.run("document.activeElement.type") == "search"
    tab.run("document.querySelector('.tile[tabindex=\"0\"]').focus()")
    tab.key("ArrowRight")
    tab.key("ArrowDown")
    at = tab.run("Number(document.activeElement.dataset.position)")
    assert at == 1 + tab.run(
        "[...document.querySelectorAll('.tile')].filter((t) => t.style.transform.endsWith(', 0px)')).length"
    )
    tab.key("End")
    assert tab.run("Number(document.activeElement.dataset.position)") == 59
    tab.wait("document.activeElement.getBoundingClientRect().bottom <= innerHeight + 1")
    tab.key("Enter")
    assert tab.run("document.querySelector('dialog').open")
    assert tab.run("document.querySelector('dialog .id').textContent") == columns["id"][59]
    tab.key("ArrowLeft")
    assert tab.run("document.querySelector('dialog .id').textContent") == columns["id"][58]
    tab.key("Escape")
    assert not tab.run("document.querySelector('dialog').open")
    tab.wait("document.activeElement.dataset.position === '58'")


def test_a_sample_opens_with_its_image_numbers_texts_and_the_record(drawn, show):
    page, columns, _ = drawn
    tab = show(page, "#sample=00005-00")
    assert tab.run("document.querySelector('dialog').open")
    tab.wait("document.querySelector('dialog img')?.naturalWidth === 24")
    assert tab.run("document.querySelector('dialog img').alt") == "image of 00005-00"
    text = tab.run("document.querySelector('dialog').innerText")
    for part in (columns["prompt"][5], str(columns["score"][5]), "6 of 60"):
        assert part in text
    links = tab.run("[...document.querySelectorAll('dialog .about a')].map((a) => [a.textContent, decodeURI(a.href)])")
    assert [word for word, _ in links] == ["image", "record", "results"]
    assert links[1][1].replace("%23", "#").endswith("/a b#1/record.json")
    before = tab.run("document.querySelector('.zooms [role=status]').textContent")
    tab.key("+")
    tab.key("+")
    assert tab.run("document.querySelector('.layer').style.transform").endswith("scale(4)")
    assert tab.run("document.querySelector('.zooms [role=status]').textContent") != before
    tab.key("0")
    assert tab.run("document.querySelector('.layer').style.transform").endswith("scale(1)")
    tab.key("1")
    pixel = tab.run(
        "(() => { const b = document.querySelector('.pane').getBoundingClientRect(); return b.width / 24; })()"
    )
    assert pixel > 1  # a small image fits larger than life, so that 1:1 keeps it whole
    tab.press("Close", "dialog")
    assert not tab.run("document.querySelector('dialog').open")


def test_two_runs_stand_side_by_side_at_equal_ids(drawn, show):
    page, left, right = drawn
    tab = show(page, "#run=0&beside=1&look=table&sort=-score@d", height=6000)
    assert tab.run("document.getElementById('title').textContent") == "AfirstBsecond <b>"
    apart = {i: right["score"][i] - left["score"][i] for i in range(60) if i not in (3,)}
    falling = sorted(apart, key=lambda i: (-apart[i], i))
    assert tab.ids[:59] == [left["id"][i] for i in falling]
    tab.choose("correct, where", "B only")
    only = [i for i in range(60) if i != 3 and not left["correct"][i] and right["correct"][i]]
    assert tab.count == f"{len(only)} of 60 samples"
    tab.press("Gallery")
    tab.run("document.querySelector('.tile').click()")
    tab.wait("[...document.querySelectorAll('dialog img')].filter((i) => i.naturalWidth === 24).length === 2")
    first = falling[min(range(59), key=lambda p: p if falling[p] in only else 99)]
    table = tab.run(
        "[...document.querySelectorAll('dialog .numbers tr')].map((r) => [...r.cells].map((c) => c.textContent))"
    )
    row = next(cells for cells in table if cells[0] == "score")
    assert row[1:3] == [f"{left['score'][first]:.4f}", f"{right['score'][first]:.4f}"]
    tab.key("d")
    assert tab.run("document.querySelectorAll('dialog .pane').length") == 3
    assert tab.run("getComputedStyle(document.querySelector('.apart .layer + .layer')).mixBlendMode") == "difference"


@pytest.mark.parametrize(("width", "dark"), [(360, False), (1600, True)])
def test_the_page_fits_phones_and_follows_the_dark_scheme(drawn, show, width, dark):
    tab = show(drawn[0], "#run=0&beside=1", width=width, dark=dark)
    assert tab.run("document.documentElement.scrollWidth <= innerWidth")
    assert tab.run("document.getElementById('samples').scrollWidth <= document.getElementById('samples').clientWidth")
    ground = tab.run("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(14, 18, 23)") == dark
    tab.run("document.querySelector('.tile').click()")
    assert tab.run("(() => { const d = document.querySelector('dialog'); return d.scrollWidth <= d.clientWidth; })()")


def test_controls_and_lists_have_names_for_screen_readers(drawn, show):
    for hash in ("", "#look=table", "#run=0&beside=1"):
        tab = show(drawn[0], hash)
        tab.press("Add a range")
        nameless = tab.run("""[...document.querySelectorAll("button, input, select, [role=option], [role=listbox], [role=grid]")]
            .filter((n) => !(n.getAttribute("aria-label") || n.closest("label")?.textContent || n.textContent.trim()))
            .map((n) => n.outerHTML)""")
        assert nameless == []
        role = "grid" if "table" in hash else "listbox"
        assert tab.run(f"document.querySelectorAll('[role={role}]').length") == 1
        assert tab.run("document.querySelectorAll('#canvas [tabindex=\"0\"]').length") == 1


def test_a_copied_view_works_without_the_run(drawn, show, tmp_path):
    page = drawn[0]
    copy = write_view([page.parent.parent / "b"], tmp_path / "made", copy=True)
    copy.parent.rename(tmp_path / "moved")
    tab = show(tmp_path / "moved" / "index.html")
    tab.wait("[...document.querySelectorAll('.slot img')].every((i) => i.complete && i.naturalWidth === 24)")
    assert tab.run("document.querySelectorAll('.slot img').length") > 10


def test_each_tile_names_task_and_protocol_and_a_permalink_opens_the_row_of_its_protocol(tmp_path, make, show):
    columns = {
        "id": ["a", "a", "b", "b"],
        "protocol": ["one", "two", "one", "two"],
        "task": ["text", "text", None, None],
        "psnr": [20.0, 21.0, 30.0, 31.0],
    }
    page = write_view([make.run(tmp_path / "run", "m", 4, columns)], tmp_path / "view")
    tab = show(page)
    said = tab.run("[...document.querySelectorAll('.tile .terms-line')].map((n) => n.textContent)")
    assert said == ["text · one", "text · two", "generate · one", "generate · two"]
    box = "(() => { const t = document.querySelector('.tile .terms-line').getBoundingClientRect();"
    assert tab.run(f"{box} return t.bottom <= document.querySelector('.tile').getBoundingClientRect().bottom; }})()")
    tab.run("document.querySelectorAll('.tile')[3].click()")
    address = tab.run("document.querySelector('dialog .bar a').getAttribute('href')")
    assert "sample=b" in address
    again = show(page, address)
    assert "31" in again.run("document.querySelector('dialog .numbers').textContent")
    assert again.run("document.querySelector('dialog .place, dialog .bar .soft').textContent") == "4 of 4"


def test_a_question_mark_shows_the_keys_alone_and_over_a_sample(drawn, show):
    page, _, _ = drawn
    tab = show(page)
    tab.key("?")
    assert tab.run("document.querySelector('dialog.help').open")
    keys = tab.run("[...document.querySelectorAll('dialog.help kbd')].map((k) => k.textContent)")
    assert {"/", "Enter", "d", "?", "Escape"} <= set(keys)
    tab.key("Escape")
    assert not tab.run("document.querySelector('dialog.help').open")
    tab.run("document.querySelector('.tile').click()")
    tab.key("?")
    assert tab.run("document.querySelector('dialog.help').open && document.querySelector('dialog.detail').open")
    tab.key("Escape")
    assert tab.run("!document.querySelector('dialog.help').open && document.querySelector('dialog.detail').open")
    tab.key("Escape")
    tab.run("document.getElementById('keys').click()")
    assert tab.run("document.querySelector('dialog.help').open")
