"""Which images of a folder carry a mark: re-tokenised, tested exactly, corrected for every list, view and hypothesis."""

from evalkit.watermark.detection.calibrate import Calibrated, calibrate_watermark
from evalkit.watermark.detection.calibration import Calibration
from evalkit.watermark.detection.calibration_file import read_calibration, write_calibration
from evalkit.watermark.detection.detect import detect_mark, detect_watermark
from evalkit.watermark.detection.verdict import Rule

__all__ = [
    "Calibrated",
    "Calibration",
    "Rule",
    "calibrate_watermark",
    "detect_mark",
    "detect_watermark",
    "read_calibration",
    "write_calibration",
]
