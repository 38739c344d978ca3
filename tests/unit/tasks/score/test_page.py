import re

import evalkit
from evalkit.jobs.options import RunOptions
from evalkit.tasks.score.page import page


def test_the_page_shows_values_intervals_reasons_and_images_and_opens_from_disk(sets, tmp_path):
    (sets[0] / "000.png").rename(sets[0] / "<b>&.png")
    options = RunOptions(out=tmp_path / "run", device="cpu")
    run = evalkit.score(*sets, metrics=["fd_efflite0", "precision_efflite0", "fid"], options=options)
    text = (run.path / "report.html").read_text()
    assert text == page(run)
    assert text.count('<img src="data:image/webp') == 33
    assert "Not available" in text
    assert "pt_inception-2015-12-05-6726825d.pth" in text
    assert "<b>&" not in text
    assert not re.search(r"(src|href)=\"(?!data:|#)", text)


def test_keep_none_leaves_no_image(sets, tmp_path):
    options = RunOptions(out=tmp_path / "run", device="cpu", keep="none")
    run = evalkit.score(*sets, metrics=["fd_efflite0"], options=options)
    assert not (run.path / "images").exists()
