"""Old module names work for one version."""

import importlib

import pytest

from evalkit.moved import MODULES, NAMES


@pytest.mark.parametrize("old", list(MODULES))
def test_an_old_module_name_gives_the_module_of_today(old):
    with pytest.warns(DeprecationWarning, match="is now"):
        made = (
            importlib.import_module(old)
            if old not in importlib.sys.modules
            else importlib.reload(importlib.sys.modules[old])
        )
    now = importlib.import_module(MODULES[old])
    public = [name for name in vars(now) if not name.startswith("_")][:3]
    assert all(getattr(made, name) is getattr(now, name) for name in public)


@pytest.mark.parametrize(("module", "name"), list(NAMES))
def test_an_old_name_gives_what_it_is_today(module, name):
    place, _, now = NAMES[module, name].partition(":")
    assert getattr(importlib.import_module(module), name) is getattr(importlib.import_module(place), now)


def test_what_is_gone_stays_gone():
    with pytest.raises(ImportError):
        importlib.import_module("evalkit.runs.attestation.nothing")
    with pytest.raises(AttributeError):
        getattr(importlib.import_module("evalkit.encoders.base"), "no" + "thing")
