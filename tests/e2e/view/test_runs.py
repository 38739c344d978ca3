"""What different runs look like: few images kept, none at all, samples of one run only."""

from evalkit.pages.view import write_view


def test_samples_of_one_run_only_are_counted_not_shown(show, tmp_path, make):
    one = make.run(tmp_path / "one", "one", 3, {"id": ["a", "b", "c"], "psnr": [1.0, 2.0, 3.5]})
    two = make.run(tmp_path / "two", "two", 3, {"id": ["b", "c", "d"], "psnr": [2.5, 3.5, 4.0]})
    tab = show(write_view([one, two], tmp_path / "view"), "#run=0&beside=1&look=table")
    assert tab.count == "2 samples"
    assert tab.run("document.getElementById('note').textContent") == "at equal ids; 1 only in A, 1 only in B"
    assert tab.ids == ["b", "c"]


def test_a_run_that_kept_its_worst_images_begins_with_those(show, tmp_path, make):
    folder = tmp_path / "run"
    entries = []
    columns = {
        "id": [f"s/{i}" for i in range(40)],
        "protocol": ["p"] * 40,
        "psnr": [float("inf")] + [30.0 - i for i in range(39)],
    }
    columns["text_original"] = ["two\nlines <i>"] * 40
    for i in (4, 9):
        pair = {side: f"images/{i}-{side}.png" for side in ("original", "reconstruction")}
        entries.append({"id": f"s/{i}", "protocol": "p", "kind": "worst", "rank": 1, "scores": {}, **pair})
    make.run(folder, "codec", 40, columns, entries)
    for entry in entries:
        for side in ("original", "reconstruction"):
            make.image(folder / entry[side], 1)
    page = write_view([folder], tmp_path / "view")
    tab = show(page)
    assert tab.count == "2 of 40 samples"
    assert tab.titles == ["s/4", "s/9"]
    tab.choose("images", "")
    assert tab.count == "40 samples"
    assert "PSNR ∞" in tab.run("document.querySelector('.tile').textContent")
    tab.choose("Order", "psnr")
    assert tab.titles[0] == "s/39"
    tab.run("document.querySelector('.tile').click()")
    assert tab.run("document.querySelector('dialog .texts dd:last-of-type').textContent") == "two\nlines <i>"
    assert tab.run("document.querySelector('dialog .stage').hidden")


def test_runs_without_images_and_with_one_sample_are_shown(show, tmp_path, make):
    run = make.run(tmp_path / "r", "plain", 1, {"id": ["only"], "psnr": [3.0]})
    tab = show(write_view([run], tmp_path / "view"))
    assert tab.count == "1 sample"
    assert tab.titles == ["only"]
