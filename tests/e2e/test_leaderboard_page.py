"""A leaderboard in a real browser, opened from disk: content, sorting, filter, drill-down; silent, and with no network."""

import hashlib
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from evalkit.jsonio import pretty_json
from evalkit.leaderboard import LeaderboardOptions, make_leaderboard, render

HOSTILE = (
    "<img src=x onerror=\"window.hit='img'\">",
    "</script><script>window.hit='script'</script>",
    "'\" onmouseover=\"window.hit='attribute'\" x='",
    "<!-- <iframe srcdoc='<script>parent.hit=1</script>'>",
    "</style></title><svg onload=\"window.hit='svg'\">",
    "\u202emirror\u2066 \x00\x1b[31m\u2028",
)
N = 40


def write_run(folder, number, name, ids=None, dataset="photos"):
    """A run with two metrics, a distance, and one kept image."""
    folder.mkdir(parents=True)
    hard = np.random.default_rng(0).normal(25, 4, N)
    own = np.random.default_rng(number + 1)
    psnr, ssim = hard + number + own.normal(0, 0.2, N), 0.8 + 0.001 * hard + own.normal(0, 0.05, N)
    ids = ids or [f"s{i:02d}.png" for i in range(N)]
    columns = {"id": ids, "protocol": ["evalkit-1"] * N, "psnr": psnr, "ssim": ssim, "error": pa.nulls(N, pa.string())}
    pq.write_table(pa.table(columns), folder / "samples.parquet")

    def row(metric, value, low=None, high=None, **more):
        shared = {"task": "reconstruction", "dataset": dataset, "protocol": "evalkit-1", "n": N, "ci_method": "made up"}
        shared |= {"unit": "", "better": "higher", "status": "ok", "reason": None}
        return shared | {"metric": metric, "value": value, "low": low, "high": high} | more

    rows = [
        row("psnr", float(psnr.mean()), float(psnr.mean()) - 1, float(psnr.mean()) + 1, unit="dB"),
        row("ssim", float(ssim.mean())),
        row("fid", 3.0 - number, 2.5 - number, 3.5 - number, better="lower", task="distribution"),
        row("lpips_vgg", None, status="unavailable", reason=f"no weights for {name}", n=0),
    ]
    (folder / "results.json").write_bytes(pretty_json(rows))
    (folder / "images").mkdir()
    worst = ids[int(np.argmin(psnr))]
    for kind in ("original", "reconstruction"):
        Image.new("RGB", (16, 16), (40 * number, 90, 20)).save(folder / "images" / f"w-{kind}.png")
    entry = {"id": worst, "protocol": "evalkit-1", "kind": "worst", "rank": 1, "scores": {}}
    entry |= {kind: f"images/w-{kind}.png" for kind in ("original", "reconstruction")}
    (folder / "images" / "index.json").write_bytes(pretty_json([entry]))
    record = {"evalkit": "0.1.0", "task": "tokenizer", "created": "2026-11-26T10:00:00Z", "model": {"name": name}}
    record |= {"data": {"name": "photos", "n": N, "digest": "d"}, "protocols": [{"id": "evalkit-1", "sha256": "e"}]}
    record |= {"command": ["evalkit", name], "files": {}}
    for file in ("results.json", "samples.parquet"):
        record["files"][file] = hashlib.sha256((folder / file).read_bytes()).hexdigest()
    (folder / "record.json").write_bytes(pretty_json(record))
    return folder


@pytest.fixture
def board(tmp_path):
    runs = [write_run(tmp_path / f"r{i}", i, name) for i, name in enumerate(("llamagen-vq16", "beta", "gamma"))]
    return make_leaderboard(runs, tmp_path / "board", LeaderboardOptions(reported="measured"))


def opened(browser, page, hash="", **more):
    tab = browser.page(**more)
    tab.open(page.as_uri() + hash)
    tab.wait("!document.getElementById('tools').hidden")
    return tab


def quiet(tab):
    assert tab.said == []
    assert tab.outside == []
    assert tab.run("window.hit") is None


ORDER = "[...document.querySelectorAll('section.board:not([hidden]) tr[data-run] .name bdi')].map((n) => n.textContent)"
SHOWN = "[...document.querySelectorAll('section.board:not([hidden]) tr[data-run]')].filter((r) => !r.hidden).length"


def press(tab, heading):
    tab.run(f"""[...document.querySelectorAll("section.board:not([hidden]) thead button")]
        .find((b) => b.textContent.trim() === {json.dumps(heading)}).click()""")


def test_one_board_is_shown_sorted_by_rank_and_columns_sort(browser, board):
    tab = opened(browser, board.path)
    assert tab.run("document.querySelectorAll('section.board:not([hidden])').length") == 1
    assert tab.run(ORDER) == ["gamma", "beta", "llamagen-vq16"]
    assert tab.run("document.querySelector('section.board:not([hidden]) .verdict').innerText").startswith(
        "gamma is first"
    )
    press(tab, "value")
    assert tab.run(ORDER) == ["llamagen-vq16", "beta", "gamma"]
    press(tab, "value")
    assert tab.run(ORDER) == ["gamma", "beta", "llamagen-vq16"]
    press(tab, "system")
    assert tab.run(ORDER) == ["beta", "gamma", "llamagen-vq16"]
    assert tab.run("document.querySelectorAll('section.board:not([hidden]) [aria-sort]').length") == 1
    press(tab, "rank")
    assert tab.run(ORDER) == ["gamma", "beta", "llamagen-vq16"]
    quiet(tab)


def test_boards_are_chosen_and_addressed_and_systems_filtered(browser, board):
    fid = next(each for each in board.boards if each.terms.metric == "fid")
    tab = opened(browser, board.path, f"#b-{fid.terms.digest}")
    assert tab.run("document.querySelector('section.board:not([hidden]) h2').innerText").startswith("FID")
    assert tab.run("document.querySelectorAll('section.board:not([hidden]) tbody.reported tr').length") >= 2
    tab.run(
        "(() => { const f = document.getElementById('filter'); f.value = 'GAM'; f.dispatchEvent(new Event('input')); })()"
    )
    assert tab.run(SHOWN) == 1
    psnr = next(each for each in board.boards if each.terms.metric == "psnr")
    tab.run(
        f"""(() => {{
            const choose = document.getElementById("choose");
            choose.value = "b-{psnr.terms.digest}";
            choose.dispatchEvent(new Event("change"));
        }})()"""
    )
    tab.wait(f"!document.getElementById('b-{psnr.terms.digest}').hidden")
    assert tab.run(SHOWN) == 1
    tab.run(
        "(() => { const h = document.getElementById('hollow'); h.checked = false; h.dispatchEvent(new Event('change')); })()"
    )
    assert tab.run(
        "[...document.querySelectorAll('tbody.reported')].every((n) => getComputedStyle(n).display === 'none')"
    )
    quiet(tab)


def test_a_system_opens_with_differences_samples_and_images(browser, board):
    tab = opened(browser, board.path)
    tab.run("document.querySelector('section.board:not([hidden]) button.name').focus()")
    tab.key("Enter")
    tab.wait("document.getElementById('detail').open")
    assert tab.run("document.getElementById('detail-title').textContent") == "gamma"
    told = tab.run(
        "[...document.querySelectorAll('.differences tbody tr')].map((r) => [...r.cells].map((c) => c.textContent))"
    )
    assert [row[0] for row in told] == ["beta", "llamagen-vq16"]
    assert [row[3] for row in told] == ["better at 95 %", "better at 95 %"]
    assert float(told[1][1]) == pytest.approx(2, abs=0.2)
    assert tab.run("document.querySelectorAll('.samples li').length") == 18
    tab.wait(
        """(() => {
            const images = [...document.querySelectorAll(".samples img")];
            return images.length === 2 && images.every((i) => i.complete && i.naturalWidth === 16);
        })()"""
    )
    links = tab.run("[...document.querySelectorAll('#detail .links a')].map((a) => a.href)")
    assert links[0] == (board.entrants[2].path / "record.json").as_uri()
    tab.key("Escape")
    tab.wait("!document.getElementById('detail').open")
    quiet(tab)


def test_boards_that_lie_apart_are_loaded_when_chosen(browser, board, tmp_path, monkeypatch):
    monkeypatch.setattr(render, "INLINE", 0)
    made = make_leaderboard([each.path for each in board.entrants], tmp_path / "apart")
    tab = opened(browser, made.path)
    tab.wait("document.querySelectorAll('section.board:not([hidden]) tr[data-run]').length === 3")
    assert tab.run(ORDER) == ["gamma", "beta", "llamagen-vq16"]
    press(tab, "value")
    assert tab.run(ORDER) == ["llamagen-vq16", "beta", "gamma"]
    quiet(tab)


def test_dark_light_and_narrow(browser, board):
    ground = "getComputedStyle(document.body).backgroundColor"
    tab = opened(browser, board.path, dark=True)
    dark = tab.run(ground)
    tab.run(
        "(() => { const l = document.getElementById('look'); l.value = 'light'; l.dispatchEvent(new Event('change')); })()"
    )
    assert tab.run(ground) != dark
    quiet(tab)
    phone = opened(browser, board.path, width=390, height=800)
    assert phone.run("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    quiet(phone)


def test_the_page_reads_without_scripts(browser, board):
    tab = browser.page()
    tab.call("Emulation.setScriptExecutionDisabled", value=True)
    tab.open(board.path.as_uri())
    assert tab.run("document.querySelectorAll('section.board:not([hidden])').length") == len(board.boards)
    assert "gamma is first at 95 % confidence" in tab.run("document.body.innerText")
    assert tab.run("document.getElementById('tools').hidden")
    assert tab.run("document.querySelectorAll('button.name').length") == 0
    assert tab.said == []
    assert tab.outside == []


def test_screen_readers_find_names_headers_and_regions(browser, board):
    tab = opened(browser, board.path)
    assert tab.run("[...document.querySelectorAll('table')].every((t) => t.caption)")
    assert tab.run(
        "[...document.querySelectorAll('thead th')].every((th) => th.scope === 'col' && th.textContent.trim())"
    )
    assert tab.run("[...document.querySelectorAll('tr[data-run]')].every((r) => r.querySelector('th[scope=row]'))")
    assert tab.run("[...document.querySelectorAll('input, select')].every((f) => f.labels.length === 1)")
    assert tab.run(
        "[...document.querySelectorAll('.scroll')].every((s) => s.tabIndex === 0 && s.getAttribute('aria-label'))"
    )
    assert tab.run("document.querySelectorAll('svg:not([aria-hidden])').length") == 0
    quiet(tab)


def test_hostile_names_are_text(browser, tmp_path):
    names = [*HOSTILE]
    ids = [f"{HOSTILE[i % len(HOSTILE)]}{i}" for i in range(N)]
    runs = [write_run(tmp_path / f"r{i}", i, name, ids, HOSTILE[0]) for i, name in enumerate(names)]
    made = make_leaderboard(runs, tmp_path / "board")
    tab = opened(browser, made.path)
    tab.run("document.querySelector('section.board:not([hidden]) button.name').click()")
    tab.wait("document.getElementById('detail').open")
    quiet(tab)
    assert tab.run("document.querySelectorAll('iframe, img[src=x], [onload], [onerror], [onmouseover]').length") == 0
    shown = tab.run("document.body.textContent")
    for text in HOSTILE[:-1]:
        assert text in shown
    assert "\\u202emirror\\u2066 \\x00\\x1b[31m\\u2028" in shown


def test_the_overview_needs_no_sideways_scrolling_on_a_phone(browser, board):
    phone = opened(browser, board.path, width=390, height=800)
    ends = phone.run(
        """[...document.querySelectorAll('.overview tbody th, .overview .answer, .overview td[data-l]')]
        .filter((n) => n.getClientRects().length).map((n) => n.getBoundingClientRect()).map((r) => [r.left, r.right])"""
    )
    assert len(ends) >= 3 * 4
    assert all(0 <= left < right <= 390 for left, right in ends)
    assert phone.run("document.querySelector('#overview .scroll').scrollWidth <= 390")
    answers = phone.run("[...document.querySelectorAll('.overview .answer')].map((n) => n.innerText)")
    assert answers[0].startswith("first on ")
    quiet(phone)


def test_a_task_is_chosen_and_a_name_sifts_the_overview(browser, board):
    tab = opened(browser, board.path)
    shown = "[...document.querySelectorAll('.overview thead th')].filter((n) => !n.hidden).map((n) => n.textContent)"
    first = tab.run(shown)
    assert [each[:4] for each in first] == ["syst", "firs", "PSNR", "SSIM"]
    tab.run(
        "(() => { const f = document.getElementById('family'); f.value = ''; f.dispatchEvent(new Event('change')); })()"
    )
    assert len(tab.run(shown)) == 5
    tab.run(
        "(() => { const f = document.getElementById('filter'); f.value = 'gam'; f.dispatchEvent(new Event('input')); })()"
    )
    assert tab.run("[...document.querySelectorAll('.overview tbody tr')].filter((r) => !r.hidden).length") == 1
    tab.run("document.querySelector('.overview thead a').click()")
    tab.wait("location.hash.startsWith('#b-')")
    quiet(tab)
