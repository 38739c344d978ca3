"""Units, directions and ranges of the metrics that sealed runs hold: a change would tear old boards apart."""

import pytest

from evalkit.metrics.registry import METRICS

SEALED = [  # unit, direction, range, names
    ("dB", "higher", 0.0, None, "psnr psnr_detail psnr_face shift_psnr"),
    ("", "lower", 0.0, 1.0, "mse hf_added ned_truth ned_original"),
    ("", "higher", -1.0, 1.0, "ssim hf_correlation hf_correlation_detail hf_correlation_face"),
    (
        "",
        "higher",
        0.0,
        1.0,
        "ms_ssim hf_energy face_recall codes_used survival_exact survival_8bit survival_jpeg75 "
        "shift_codes word_recall_truth word_recall_original",
    ),
    (
        "",
        "lower",
        0.0,
        None,
        "lpips_alex lpips_vgg lpips_squeeze fid fd_efflite0 fd_dinov2 fd_dinov2_vitb14 "
        "fd_dinov2_vits14 fd_clip fd_clip_vitb32 cer_truth wer_truth cer_original wer_original",
    ),
    ("", "lower", None, None, "fid_infinity fd_efflite0_infinity"),
    ("bit/px", "lower", 0.0, None, "bpp"),
    ("codes", "higher", 1.0, None, "code_perplexity"),
]


@pytest.mark.parametrize(("unit", "better", "low", "high", "names"), SEALED)
def test_units_directions_and_ranges_are_those_of_sealed_runs(unit, better, low, high, names):
    for metric in map(METRICS.get, names.split()):
        assert (metric.unit, metric.better, metric.low, metric.high) == (unit, better, low, high), metric.name
