"""Editing benchmarks hand their source images and masks to the model that a probe is asked for."""

from dataclasses import replace

import numpy as np
from PIL import Image as Pillow

from evalkit.generators.base import Request
from evalkit.tasks.generate.sources import sources_ref, with_sources
from evalkit.tasks.probe.judged.items import JudgedItem
from evalkit.tasks.probe.judged.suite import judged_suite
from evalkit.tasks.probe.run import _asked


def test_an_editing_benchmark_names_the_source_and_the_mask_of_each_item(tmp_path):
    (tmp_path / "1-Left-Right").mkdir()
    for name, level in (("a.png", 70), ("a_mask.jpg", 255)):
        Pillow.new("RGB", (8, 8), (level, level, level)).save(tmp_path / "1-Left-Right" / name)
    item = JudgedItem("1", "remove the left cat", {"folder": "1-Left-Right", "stem": "a"})
    prompts, folder = _asked(replace(judged_suite("reason-edit"), items=(item,), sources=tmp_path))
    (prompt,) = prompts.prompts
    assert (prompt.prompt, folder) == ("remove the left cat", tmp_path)
    request = with_sources(Request("1", prompt.prompt), prompt.meta, folder)
    assert np.array_equal(request.source_image, np.full((8, 8, 3), 70))
    assert request.mask.min() > 250
    assert sources_ref(prompts, folder).n == 2


def test_a_benchmark_of_prompts_alone_has_no_sources():
    from evalkit.tasks.probe.suite import SUITES

    prompts, folder = _asked(SUITES.get("world")())
    assert folder is None
    assert sources_ref(prompts, folder) is None
