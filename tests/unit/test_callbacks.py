"""Evaluation inside a training loop: turns, names for loggers, failures that end no training, Lightning's hooks."""

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from evalkit.callbacks import CheckpointEvaluation, lightning_callback, values_of
from evalkit.errors import EvalkitError

ROWS = [
    {"metric": "psnr", "dataset": "photos", "value": 31.5, "low": 30.0, "high": 33.0},
    {"metric": "fid", "dataset": "", "value": 2, "low": None, "high": "inf"},
    {"metric": "lpips", "dataset": "photos", "value": None, "low": None, "high": None},
]
VALUES = {"psnr/photos": 31.5, "psnr/photos_low": 30.0, "psnr/photos_high": 33.0, "fid": 2.0}


def made(checkpoint, folder):
    if "bad" in checkpoint.name:
        raise EvalkitError("no such weights")
    return SimpleNamespace(results=ROWS, at=(checkpoint, folder))


def test_finite_numbers_have_names_that_loggers_take():
    assert values_of(SimpleNamespace(results=ROWS)) == VALUES


def test_every_second_checkpoint_is_evaluated_and_a_failure_ends_nothing(tmp_path):
    logged = []
    each = CheckpointEvaluation(made, tmp_path, log=lambda values, step: logged.append((step, values)), every=2)
    runs = [each(f"{name}.pt", step) for step, name in enumerate(("a", "b", "c", "d", "bad", "e", "f"))]
    assert [step for step, run in enumerate(runs) if run is not None] == [0, 2, 6]
    assert runs[2].at == (Path("c.pt"), tmp_path / "step-2")
    assert logged == [(step, VALUES) for step in (0, 2, 6)]
    assert each.failed == {4: "no such weights"}


def test_fewer_than_one_checkpoint_is_refused(tmp_path):
    with pytest.raises(EvalkitError, match="Give 1 or more"):
        CheckpointEvaluation(made, tmp_path, every=0)


@pytest.fixture
def lightning(monkeypatch):
    module, package = ModuleType("lightning.pytorch"), ModuleType("lightning")
    module.Callback = type("Callback", (), {})
    monkeypatch.setitem(sys.modules, "lightning", package)
    monkeypatch.setitem(sys.modules, "lightning.pytorch", module)


class Trainer:
    def __init__(self, **said):
        self.saved, self.logged, self.global_step = [], [], 0
        self.loggers = [SimpleNamespace(log_metrics=lambda values, step: self.logged.append((step, values)))]
        self.__dict__ |= said

    def save_checkpoint(self, path):
        self.saved.append(path.name)


@pytest.mark.usefixtures("lightning")
def test_lightning_saves_evaluates_and_logs_after_validations(tmp_path):
    callback = lightning_callback(CheckpointEvaluation(made, tmp_path, every=2), tmp_path)
    trainer = Trainer()
    trainer.sanity_checking = True
    callback.on_validation_end(trainer, None)
    trainer.sanity_checking = False
    for trainer.global_step in (10, 20, 30):
        callback.on_validation_end(trainer, None)
    assert trainer.saved == ["step-10.ckpt", "step-30.ckpt"]
    assert trainer.logged == [(10, VALUES), (30, VALUES)]
    other = Trainer(is_global_zero=False)
    callback = lightning_callback(CheckpointEvaluation(made, tmp_path), tmp_path)
    callback.on_validation_end(other, None)
    assert (other.saved, other.logged) == (["step-0.ckpt"], [])


def test_without_lightning_the_line_that_installs_it_is_said(monkeypatch, tmp_path):
    for name in ("lightning", "lightning.pytorch", "pytorch_lightning"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(EvalkitError, match="pip install lightning"):
        lightning_callback(CheckpointEvaluation(made, tmp_path), tmp_path)
