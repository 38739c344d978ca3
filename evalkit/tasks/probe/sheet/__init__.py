"""The page of a probe that measures images rather than judges them: numbers, curves, a strip of images, limits."""

from evalkit.tasks.probe.sheet.page import Figure, Sheet, Strip, Table, sheet_page

__all__ = ["Figure", "Sheet", "Strip", "Table", "sheet_page"]
