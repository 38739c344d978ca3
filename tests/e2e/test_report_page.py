"""The report in a real browser: silent console, working scripts, no sideways scrolling on a phone."""

import json
import re
import shutil
import subprocess

import pytest

from evalkit.jobs.options import RunOptions
from evalkit.pages import write_report
from evalkit.tasks.tokenizer import evaluate_tokenizer

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no chromium on this machine")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--enable-logging=stderr", "--hide-scrollbars"),
)
FRAME = """<!doctype html><script>
addEventListener("message", (event) => document.documentElement.setAttribute("data-said", event.data));
</script><iframe src="{name}" style="width: {width}px; height: 900px; border: 0"></iframe>"""
EXERCISE = """
const said = {};
const click = (node) => { node.click(); return node; };
said.width = innerWidth;
said.overflow = document.documentElement.scrollWidth - document.documentElement.clientWidth;
const input = document.querySelector("#numbers input[type=search]");
input.value = "ssim";
input.dispatchEvent(new Event("input"));
const rows = [...document.querySelectorAll("#numbers tbody tr:not(.head)")];
said.left = rows.filter((row) => row.offsetParent).map((row) => row.cells[0].innerText);
input.value = "";
input.dispatchEvent(new Event("input"));
const table = document.querySelector("table.compare");
if (table) {
  const row = [...table.querySelectorAll("tr[data-better]")].find((r) => r.innerText.startsWith("PSNR"));
  click(row.querySelector("button"));
  said.order = [...row.cells].slice(1, -1).map((c) => Number(c.dataset.value));
  said.heads = [...table.tHead.rows[0].cells].map((c) => c.innerText);
}
const select = document.querySelector("#worst select");
select.value = "/";
select.dispatchEvent(new Event("change"));
said.names = [...document.querySelector("#worst .triples").children].map((f) => f.dataset.id);
click(document.querySelector("#worst button.open"));
const dialog = document.querySelector("dialog");
said.open = dialog.open;
said.first = dialog.querySelector("img").alt;
dialog.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight" }));
said.second = dialog.querySelector("img").alt;
const last = dialog.querySelector(".viewer > div:last-child");
said.pressed = [...last.children].map((b) => b.getAttribute("aria-pressed"));
click(dialog.querySelector("button"));
said.closed = !dialog.open;
parent.postMessage(JSON.stringify(said), "*");
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "compared"
    tasks = ["reconstruction", "detail"]
    return evaluate_tokenizer(["jpeg-q50", "jpeg-q90"], "sample", tasks=tasks, options=RunOptions(out=out))


def browse(page, profile, *more):
    command = [BROWSER, *FLAGS, f"--user-data-dir={profile}", *more, page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def exercised(page, profile, width):
    """What the page's own scripts do when they are used; the copy allows one more script, which uses them.

    It lies in a frame, since a headless window is never narrower than 500 px.
    """
    source = re.sub(r"<meta http-equiv=[^>]*>", "", page.read_text(encoding="utf-8"))
    copy = page.with_name(f"exercised-{width}.html")
    copy.write_text(source.replace("</body>", f"<script>{EXERCISE}</script></body>"), encoding="utf-8")
    outer = page.with_name(f"frame-{width}.html")
    outer.write_text(FRAME.format(name=copy.name, width=width), encoding="utf-8")
    dom, console = browse(outer, profile, "--window-size=1700,1000", "--virtual-time-budget=5000", "--dump-dom")
    found = re.search(r'data-said="([^"]*)"', dom)
    return json.loads(found.group(1).replace("&quot;", '"').replace("&amp;", "&")), console


def test_report_opens_without_a_word_on_the_console(runs, tmp_path):
    for number, chosen in enumerate((runs, runs[:1])):
        page = write_report(chosen, tmp_path / f"{number}.html")
        dom, console = browse(page, tmp_path / "profile", "--dump-dom")
        assert console == []
        assert 'type="search"' in dom  # the policy let the page's script run


@pytest.mark.parametrize("width", [360, 1600])
def test_scripts_filter_order_and_enlarge(runs, tmp_path, width):
    said, console = exercised(write_report(runs, tmp_path / "page.html"), tmp_path / "profile", width)
    assert console == []
    assert said["width"] == width
    assert said["overflow"] <= 0
    assert said["left"]
    assert all("SSIM" in name for name in said["left"])
    assert said["order"] == sorted(said["order"], reverse=True)
    assert said["heads"][1:3] == ["jpeg-q90", "jpeg-q50"]
    assert said["names"] == sorted(said["names"])
    assert said["open"]
    assert said["first"].startswith("Original of")
    assert said["second"].startswith("Reconstruction of")
    assert said["pressed"] == ["false", "true", "false"]
    assert said["closed"]


def test_report_of_one_run_fits_a_phone(runs, tmp_path):
    said, console = exercised(write_report(runs[:1], tmp_path / "page.html"), tmp_path / "profile", 360)
    assert console == []
    assert said["width"] == 360
    assert said["overflow"] <= 0
