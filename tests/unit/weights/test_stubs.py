"""Stand-ins for what a checkpoint names: they keep what they hold, and nothing of the file ever runs."""

import collections
import sys
import types

import pytest
import torch

from evalkit.errors import WeightsError
from evalkit.weights.reading import read_checkpoint
from evalkit.weights.stubs import named_globals, refused


def foreign(name, base=object):
    """A class of a module that exists only while the file is written."""
    module = types.ModuleType("some_project.config")
    made = type(name, (base,), {"__module__": "some_project.config"})
    setattr(module, name, made)
    sys.modules["some_project"] = types.ModuleType("some_project")
    sys.modules["some_project.config"] = module
    return made


@pytest.fixture(autouse=True)
def _forget():
    yield
    for name in ("some_project", "some_project.config"):
        sys.modules.pop(name, None)


def saved(tmp_path, thing):
    path = tmp_path / "w.pt"
    torch.save({"w": torch.ones(2), "config": thing}, path)
    for name in ("some_project", "some_project.config"):
        sys.modules.pop(name, None)
    return path


def test_foreign_objects_mappings_and_lists_leave_the_tensors_readable(tmp_path):
    thing = foreign("Config")()
    thing.size = 3
    assert torch.equal(read_checkpoint(saved(tmp_path, thing))["w"], torch.ones(2))
    mapping = foreign("Box", dict)()
    mapping["lr"] = 0.1
    assert read_checkpoint(saved(tmp_path, mapping))["config"]["lr"] == 0.1
    assert list(read_checkpoint(saved(tmp_path, foreign("Items", list)([1, 2])))["config"]) == [1, 2]


def test_many_foreign_classes_are_fine(tmp_path):
    things = [foreign(f"Part{i}") for i in range(80)]
    module = sys.modules["some_project.config"]
    for each in things:
        setattr(module, each.__name__, each)
    path = saved(tmp_path, [each() for each in things])
    assert len(named_globals(path)) >= 80
    assert torch.equal(read_checkpoint(path)["w"], torch.ones(2))


def test_values_of_pythons_library_are_let_through(tmp_path):
    held = {"a": collections.OrderedDict(x=1), "b": slice(1, 2), "c": complex(1, 2)}
    assert torch.equal(read_checkpoint(saved(tmp_path, held))["w"], torch.ones(2))


@pytest.mark.parametrize(
    "name",
    [
        "os.system",
        "posix.system",
        "subprocess.Popen",
        "builtins.eval",
        "builtins.exec",
        "builtins.getattr",
        "runpy.run_path",
    ],
)
def test_what_can_act_is_refused_by_name(name):
    assert refused({name, "torch.FloatStorage"}) == [name]


def test_names_of_python_2_are_known_for_what_they_are(tmp_path):
    path = tmp_path / "w.pt"
    path.write_bytes(b"c__builtin__\neval\n(S'1'\ntR.")
    assert named_globals(path) == {"builtins.eval"}
    with pytest.raises(WeightsError, match=r"builtins\.eval"):
        read_checkpoint(path)


def test_a_foreign_function_is_refused_when_it_is_called(tmp_path):
    path = tmp_path / "w.pt"
    path.write_bytes(b"csome_project.tools\nbuild\n(I1\ntR.")
    with pytest.raises(WeightsError):
        read_checkpoint(path)
