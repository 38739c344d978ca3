"""Neighbouring views of a path of cameras: do they show one scene?"""

from evalkit.tasks.views.run import view_consistency

__all__ = ["view_consistency"]
