"""Screenshots of every page at three widths, and a check that none says a word or asks a network.

python benchmarks/site/screenshots.py docs/images/pages            needs Chromium; makes a small run of every task first
"""

from __future__ import annotations

import importlib.util
import io
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
SCALE = {390: 0.6, 1280: 0.4, 1920: 0.3}  # width of the window: size of what is kept of it
MOST = 1600  # px of height


def module(path: Path) -> ModuleType:
    """A file of the tests."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{path} is no module")
    made = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = made  # dataclasses look themselves up
    spec.loader.exec_module(made)
    return made


def pages(place: Path) -> Iterator[tuple[str, Path]]:
    """(name, file) of the page of each task, and of those over several runs."""
    cases = module(ROOT / "tests" / "unit" / "jobs" / "task_cases.py").CASES
    for name, make in cases.items():
        (place / name).mkdir()
        run = make(place / name / "run")
        yield from ((name, page) for page in sorted(run.path.glob("*.html")))
    yield from over_runs(place / "codecs").items()


def over_runs(place: Path) -> dict[str, Path]:
    """A comparison, a leaderboard and the viewer, over four codecs on the shipped photographs under two protocols."""
    import evalkit
    from evalkit.jobs.options import RunOptions
    from evalkit.leaderboard import make_leaderboard
    from evalkit.leaderboard.firsts import firsts
    from evalkit.pages import write_report
    from evalkit.pages.view import write_view

    runs: list[Any] = []
    for name in ("jpeg-q50", "jpeg-q75", "webp-q75", "jpeg-lm"):
        options = RunOptions(out=place / name, keep="all", device="cpu")
        protocols, tasks = ("evalkit-1", "vtbench-2025"), ("reconstruction", "codes")
        runs += evalkit.evaluate_tokenizer(name, "sample/photos", protocols=protocols, tasks=tasks, options=options)
    paths = [run.path for run in runs]
    return {
        "comparison": write_report(runs, place / "comparison.html", firsts(paths)),
        "leaderboard": make_leaderboard(paths, place / "board").path,
        "view": write_view(paths, place / "view"),
    }


def main(out: Path) -> None:
    """Write OUT/<page>-<width>.webp."""
    sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
    browsers = module(ROOT / "tests" / "e2e" / "conftest.py")
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        browser = browsers.Browser(Path(folder) / "profile")
        for name, file in pages(Path(folder)):
            for width in SCALE:
                tab = browser.page(width=width)
                tab.open(file.as_uri())
                if tab.said or tab.outside:
                    raise SystemExit(f"{name} at {width}: {tab.said} {tab.outside}")
                image = Image.open(io.BytesIO(shot(tab, width))).convert("RGB")
                image = image.resize((round(image.width * SCALE[width]), round(image.height * SCALE[width])))
                image.save(out / f"{name}-{width}.webp", quality=60, method=6)
        browser.close()


def shot(tab: Any, width: int) -> bytes:
    """PNG of the whole page, up to MOST px of height."""
    import base64

    height = min(MOST, tab.run("document.documentElement.scrollHeight"))
    clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
    found = tab.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
    return base64.b64decode(found["data"])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
