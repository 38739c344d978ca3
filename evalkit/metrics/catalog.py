"""Every metric's name, direction, unit, range and source."""

from __future__ import annotations

from evalkit.metrics.base import Better, MetricInfo


def _info(
    name: str, title: str, better: Better, unit: str, low: float | None, high: float | None, source: str
) -> MetricInfo:
    return MetricInfo(name, title, better, unit, low, high, source)


_SSIM = "Wang et al. 2004, doi:10.1109/TIP.2003.819861"
_LPIPS = "Zhang et al. 2018, arXiv:1801.03924"
_FRECHET = "Heusel et al. 2017, arXiv:1706.08500"
_DINO = "Stein et al. 2023, arXiv:2306.04675"
_INFINITY = "Chong and Forsyth 2020, arXiv:1911.07023"
_DETAIL = "evalkit.metrics.detail"
_FACES = "evalkit.metrics.faces"
_TEXT = {
    "cer": ("character error rate, summed edits over summed length", "lower", 0.0, None),
    "wer": ("word error rate, summed edits over summed words", "lower", 0.0, None),
    "ned": ("normalised edit distance, mean of edits over the longer length", "lower", 0.0, 1.0),
    "word_recall": ("share of the reference's words that are read", "higher", 0.0, 1.0),
}
_REFERENCES = {"truth": "against the true text", "original": "against the OCR of the original"}

_ALL = [
    _info("psnr", "peak signal-to-noise ratio", "higher", "dB", 0.0, None, "10 log10(peak² / mean squared error)"),
    _info("mse", "mean squared error on [0, 1]", "lower", "", 0.0, 1.0, "definition"),
    _info("ssim", "structural similarity", "higher", "", -1.0, 1.0, _SSIM),
    _info("ms_ssim", "multi-scale structural similarity", "higher", "", 0.0, 1.0, "Wang et al. 2003"),
    *(
        _info(f"lpips_{net}", f"learned perceptual distance ({net})", "lower", "", 0.0, None, _LPIPS)
        for net in ("alex", "vgg", "squeeze")
    ),
    _info("fid", "Fréchet Inception distance", "lower", "", 0.0, None, _FRECHET),
    _info(
        "fd_efflite0", "Fréchet distance of EfficientNet-lite0 features (not an FID)", "lower", "", 0.0, None, _FRECHET
    ),
    *(
        _info(name, f"Fréchet distance of {features}", "lower", "", 0.0, None, source)
        for name, features, source in (
            ("fd_dinov2", "DINOv2 ViT-L/14 class tokens (FD-DINOv2)", _DINO),
            ("fd_dinov2_vitb14", "DINOv2 ViT-B/14 class tokens", _DINO),
            ("fd_dinov2_vits14", "DINOv2 ViT-S/14 class tokens", _DINO),
            ("fd_clip", "CLIP ViT-L/14 336 px embeddings of unit length", "CMMD's embedding, arXiv:2401.09603"),
            ("fd_clip_vitb32", "CLIP ViT-B/32 embeddings (CLIP-FID)", "Kynkäänniemi et al. 2023, arXiv:2203.06026"),
        )
    ),
    _info("fid_infinity", "FID extrapolated to infinitely many images", "lower", "", None, None, _INFINITY),
    _info("fd_efflite0_infinity", "fd_efflite0 extrapolated likewise", "lower", "", None, None, _INFINITY),
    _info("hf_energy", "share of fine detail's energy that is matched", "higher", "", 0.0, 1.0, _DETAIL),
    _info("hf_added", "share of the result's fine energy that is new", "lower", "", 0.0, 1.0, _DETAIL),
    _info("hf_correlation", "correlation of high-pass residuals", "higher", "", -1.0, 1.0, _DETAIL),
    _info("psnr_detail", "PSNR of the four crops with most detail", "higher", "dB", 0.0, None, _DETAIL),
    _info("hf_correlation_detail", "hf_correlation in the same crops", "higher", "", -1.0, 1.0, _DETAIL),
    _info("psnr_face", "PSNR inside the boxes of faces", "higher", "dB", 0.0, None, _FACES),
    _info("hf_correlation_face", "hf_correlation inside the boxes of faces", "higher", "", -1.0, 1.0, _FACES),
    _info("face_recall", "share of the faces that are found again", "higher", "", 0.0, 1.0, _FACES),
    *(
        _info(f"{rate}_{reference}", f"{title}, {words}", better, "", low, high, "Levenshtein 1966")  # type: ignore[arg-type]
        for rate, (title, better, low, high) in _TEXT.items()
        for reference, words in _REFERENCES.items()
    ),
    _info("bpp", "bits spent on a pixel of the input", "lower", "bit/px", 0.0, None, "definition"),
    _info(
        "survival_exact",
        "share of codes that return from the decoder's own numbers",
        "higher",
        "",
        0.0,
        1.0,
        "definition",
    ),
    _info("survival_8bit", "share of codes that return after 8-bit rounding", "higher", "", 0.0, 1.0, "definition"),
    _info("survival_jpeg75", "share of codes that return after JPEG 75", "higher", "", 0.0, 1.0, "definition"),
    _info("shift_psnr", "agreement of reconstructions after a shift by 4 px", "higher", "dB", 0.0, None, "definition"),
    _info("shift_codes", "share of codes that move along by one cell", "higher", "", 0.0, 1.0, "definition"),
    _info("codes_used", "share of the codebook that occurs", "higher", "", 0.0, 1.0, "definition"),
    _info("code_perplexity", "exp of the entropy of the code frequencies", "higher", "codes", 1.0, None, "definition"),
]

METRICS: dict[str, MetricInfo] = {info.name: info for info in _ALL}
