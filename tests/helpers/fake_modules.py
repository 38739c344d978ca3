"""Packages that are not installed, as mocks: any module of them can be imported, any name in them is a mock."""

import importlib.abc
import importlib.machinery
import importlib.util
import sys
from types import ModuleType
from unittest.mock import MagicMock


class _Fake(ModuleType):
    __path__: list[str] = []  # noqa: RUF012

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        made = MagicMock(name=f"{self.__name__}.{name}")
        setattr(self, name, made)
        return made


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def __init__(self, packages):
        self.packages = packages

    def find_spec(self, fullname, path=None, target=None):
        if fullname.partition(".")[0] in self.packages:
            return importlib.machinery.ModuleSpec(fullname, self, is_package=True)
        return None

    def create_module(self, spec):
        return _Fake(spec.name)

    def exec_module(self, module):
        pass


def fake_packages(monkeypatch, packages):
    """Make `packages` importable as mocks until the test ends; gives a function from a module's name to the module."""
    for name in [each for each in sys.modules if each.partition(".")[0] in packages]:
        monkeypatch.delitem(sys.modules, name)
    before = set(sys.modules)
    monkeypatch.setattr(sys, "meta_path", [_Finder(packages), *sys.meta_path])

    def ended():
        for name in set(sys.modules) - before:
            if name.partition(".")[0] in packages:
                del sys.modules[name]

    return importlib.import_module, ended
