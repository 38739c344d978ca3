"""The classifier behind the decoder probe: logistic regression, calibrated on held-out generators, that may abstain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.covariance import LedoitWolf
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, StratifiedKFold

from evalkit.errors import EvalkitError

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]
Fold = tuple[Labels, Labels]  # places that are trained on, and held out
INSIDE = 0.99  # share of held-out training images that are called inside
FOLDS = 5


@dataclass(frozen=True)
class Classifier:
    """`mean`, `scale`: of features. `weights`, `bias`: the logit of the second class. `slope`, `shift`: calibration.

    `centres` [2, dim], `precision` [dim, dim], `reach`: squared distance to the nearer centre beyond which an image is
    outside of the training distribution.
    """

    mean: Floats
    scale: Floats
    weights: Floats
    bias: float
    slope: float
    shift: float
    centres: Floats
    precision: Floats
    reach: float

    def probability(self, features: Floats) -> Floats:
        """Calibrated probability of the second class [n] of features [n, dim]."""
        logit = self._standard(features) @ self.weights + self.bias
        return np.asarray(1 / (1 + np.exp(-np.clip(self.slope * logit + self.shift, -30, 30))))

    def outside(self, features: Floats) -> npt.NDArray[np.bool_]:
        """Whether features [n, dim] are unlike all that was trained on."""
        return np.asarray(_distance(self._standard(features), self.centres, self.precision) > self.reach)

    def _standard(self, features: Floats) -> Floats:
        return np.asarray((features - self.mean) / self.scale)


@dataclass(frozen=True)
class HeldOut:
    """Predictions for images whose generator (or fold, where there is one generator a class) was not trained on.

    `by_generator`: whether whole generators were held out.
    """

    probability: Floats
    outside: npt.NDArray[np.bool_]
    by_generator: bool


def train(features: Floats, labels: Labels, generators: Sequence[str], seed: int = 0) -> tuple[Classifier, HeldOut]:
    """A classifier of features [n, dim] by labels 0 and 1, and what it says of images that it was not trained on.

    Raises `EvalkitError` where a class has fewer than ten images.
    """
    if min(np.bincount(labels, minlength=2)) < 10:
        raise EvalkitError("a class has fewer than ten images. Give more images of both kinds of decoder")
    folds, by_generator = _folds(features, labels, generators, seed)
    logits, outside = np.zeros(len(labels)), np.zeros(len(labels), bool)
    distances = np.zeros(len(labels))
    for inner, held in folds:
        made = _fitted(features[inner], labels[inner])
        standard = made._standard(features[held])
        logits[held] = standard @ made.weights + made.bias
        distances[held] = _distance(standard, made.centres, made.precision)
        outside[held] = distances[held] > _reach(made._standard(features[inner]), made)
    calibration = LogisticRegression(C=1e6, max_iter=1000).fit(logits[:, None], labels)
    slope, shift = max(float(calibration.coef_[0, 0]), 0.0), float(calibration.intercept_[0])
    whole = _fitted(features, labels)
    made = _with(
        whole, slope, shift, max(_reach(whole._standard(features), whole), float(np.quantile(distances, INSIDE)))
    )
    probability = 1 / (1 + np.exp(-np.clip(slope * logits + shift, -30, 30)))
    return made, HeldOut(probability, outside, by_generator)


def _folds(features: Floats, labels: Labels, generators: Sequence[str], seed: int) -> tuple[list[Fold], bool]:
    """Folds of whole generators where both classes have several, else of images."""
    names = [sorted({g for g, y in zip(generators, labels, strict=True) if y == each}) for each in (0, 1)]
    count = min(len(each) for each in names)
    if count > 1:
        places = [{name: place % count for place, name in enumerate(each)} for each in names]
        groups = [places[int(y)][g] for g, y in zip(generators, labels, strict=True)]  # so that no fold lacks a class
        pairs = GroupKFold(min(FOLDS, count)).split(features, labels, groups)
    else:
        pairs = StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(features, labels)
    return [(np.asarray(a), np.asarray(b)) for a, b in pairs], count > 1


def _fitted(features: Floats, labels: Labels) -> Classifier:
    mean, scale = features.mean(0), features.std(0) + 1e-9
    standard = (features - mean) / scale
    fitted = LogisticRegression(C=0.1, max_iter=2000, class_weight="balanced").fit(standard, labels)
    centres = np.stack([standard[labels == each].mean(0) for each in (0, 1)])
    spread = LedoitWolf(assume_centered=True).fit(standard - centres[labels])
    return Classifier(
        mean, scale, fitted.coef_[0], float(fitted.intercept_[0]), 1.0, 0.0, centres, spread.precision_, np.inf
    )


def _reach(standard: Floats, made: Classifier) -> float:
    return float(np.quantile(_distance(standard, made.centres, made.precision), INSIDE))


def _with(made: Classifier, slope: float, shift: float, reach: float) -> Classifier:
    return Classifier(made.mean, made.scale, made.weights, made.bias, slope, shift, made.centres, made.precision, reach)


def _distance(x: Floats, centres: Floats, precision: Floats) -> Floats:
    """Squared Mahalanobis distance [n] to the nearer of the centres."""
    apart = x[:, None] - centres[None]
    return np.asarray(((apart @ precision) * apart).sum(-1).min(1))
