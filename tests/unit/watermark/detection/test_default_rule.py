"""With a calibration the larger p decides, unless somebody says otherwise: it holds under both nulls."""

from evalkit.jobs.options import RunOptions
from evalkit.watermark.detection import calibrate_watermark, detect_mark


def test_with_a_calibration_the_larger_p_decides(toy, tmp_path):
    mark, tokenizer = toy.mark(), toy.Blocks()
    null, data = tmp_path / "null", tmp_path / "data"
    null.mkdir()
    data.mkdir()
    for number in range(30):
        (null / f"{number}.png").write_bytes(toy.saved(toy.plain(number)))
    (data / "m.png").write_bytes(toy.saved(toy.marked(mark, 1)))
    calibrate_watermark(null, tokenizer, mark, tmp_path / "cal.npz", cache=False)
    with_one = detect_mark(
        data, mark, tokenizer, calibration=tmp_path / "cal.npz", cache=False, options=RunOptions(out=tmp_path / "a")
    )
    without = detect_mark(data, mark, tokenizer, cache=False, options=RunOptions(out=tmp_path / "b"))
    assert without.samples["verdict"].to_pylist() == ["detected"]
    assert with_one.samples["verdict"].to_pylist() == ["inconclusive"]  # 30 null images cannot speak of 1e-3
