"""Images of pages by a headless Chromium, small enough for the documentation."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from PIL import Image

WIDTH, HEIGHT, SHOWN = 1200, 1500, 800
MOST = 150_000  # bytes


def shot(page: Path, target: Path, height: int = HEIGHT) -> None:
    """The top of `page` as a PNG file, of 256 colours where it would be large.

    Raises `RuntimeError` without Chromium, or where it is too large all the same.
    """
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        raise RuntimeError("no Chromium is there; give --no-images")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "shot.png"
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--window-size={WIDTH},{height}"]
        subprocess.run(
            [program, *flags, f"--screenshot={file}", page.resolve().as_uri()], check=True, capture_output=True
        )
        image = Image.open(file).convert("RGB")
    small = image.resize((SHOWN, round(image.height * SHOWN / image.width)), Image.Resampling.LANCZOS)
    small.save(target, optimize=True)
    if target.stat().st_size > MOST:
        small.quantize(256, dither=Image.Dither.NONE).save(target, optimize=True)
    if target.stat().st_size > MOST:
        raise RuntimeError(f"{target} has {target.stat().st_size:,} bytes; show less of it")
