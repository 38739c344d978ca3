"""What a detection looks for and how it decides, as plans and records keep it."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field
from typing import Any

from evalkit.watermark.detection.calibration import Calibration
from evalkit.watermark.detection.verdict import Rule
from evalkit.watermark.detection.views import View
from evalkit.watermark.mark import Mark


@dataclass(frozen=True)
class Request:
    """What a detection looks for, and how it decides."""

    mark: Mark
    rule: Rule = field(default_factory=Rule)
    views: tuple[View, ...] = ()
    calibration: Calibration | None = None
    calibration_sha256: str | None = None
    c2pa: bool = False
    anchors: bytes | None = None  # PEM certificates to trust
    heat_maps: int = 12

    def as_dict(self) -> dict[str, Any]:
        """Plain data, as plan and record keep it; key_id, never the key."""
        return {
            "mark": self.mark.as_dict(),
            "rule": asdict(self.rule),
            "search": [view.name for view in self.views],
            "calibration": self.calibration_sha256,
            "c2pa": None if not self.c2pa else hashlib.sha256(self.anchors or b"").hexdigest(),
            "heat_maps": self.heat_maps,
        }

    def warnings(self, pictures: int) -> list[str]:
        """What a person must know of the calibration before believing the verdicts."""
        used, rule = self.calibration, self.rule
        if used is None:
            return []
        said = []
        if used.suspicious:
            said.append(
                f"{used.suspicious} of the {len(used.statistic)} null images of the calibration look marked themselves; "
                "calibrate again without them, or calibrated p-values are too large"
            )
        least = 1 / (len(used.statistic) + 1)
        needed = rule.alpha if rule.fdr is None else rule.fdr / max(pictures, 1)
        if rule.decide != "exact" and least > needed:
            said.append(
                f"{len(used.statistic)} null images give calibrated p-values of {least:.1e} at the least, and {needed:.1e} "
                f"is needed; {round(1 / needed):,} null images would be enough"
            )
        return said
