"""Registers every judged suite that is shipped."""

from functools import partial

from evalkit.protocols.judged import declared
from evalkit.tasks.probe.judged.suite import judged_suite
from evalkit.tasks.probe.suite import SUITES

for _name in declared():
    SUITES.add(_name, partial(judged_suite, _name))
