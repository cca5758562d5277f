"""Labels → the default garbage classifier and its calibration, with scikit-learn. Whoever only asks a classifier needs none
of this."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from services.cleaning.stages.calibration import Calibration, Floats
from services.cleaning.stages.features import SIZE, Bag, bag, weighted
from services.cleaning.stages.tfidf import Tfidf
from shared.contracts.review import ClassifierParameters

FOLDS = 5


def fit(
    texts: Sequence[str], rules: Sequence[str], truth: NDArray[np.bool_], parameters: ClassifierParameters
) -> tuple[Tfidf, Calibration]:
    """Learns the weights from all texts, and the calibration from scores of each fifth by weights of the other four."""
    bags = [bag(text, rule) for text, rule in zip(texts, rules, strict=True)]
    outside = np.zeros(len(bags))
    for held in _folds(truth, parameters.seed):
        part = _fit([bags[at] for at in np.flatnonzero(~held)], truth[~held], parameters)
        outside[held] = [part.score(bags[at]) for at in np.flatnonzero(held)]
    return _fit(bags, truth, parameters), calibrated(parameters.calibration, outside, truth)


def _folds(truth: NDArray[np.bool_], seed: int) -> list[NDArray[np.bool_]]:
    """Masks of the texts held out in turn, both verdicts in each as in all."""
    place = np.zeros(len(truth), dtype=int)
    lot = np.random.default_rng(seed)
    for verdict in (False, True):
        members = lot.permutation(np.flatnonzero(truth == verdict))
        place[members] = np.arange(len(members)) % FOLDS
    return [place == fold for fold in range(FOLDS) if (place == fold).any() and len(np.unique(truth[place != fold])) == 2]


def _fit(bags: Sequence[Bag], truth: NDArray[np.bool_], parameters: ClassifierParameters) -> Tfidf:
    seen = np.bincount(np.concatenate([one.places for one in bags]), minlength=SIZE)
    idf = (np.log((1 + len(bags)) / (1 + seen)) + 1).astype(np.float32)
    ends = np.cumsum([0, *(len(one.places) for one in bags)])
    matrix = csr_matrix(
        (np.concatenate([weighted(one, idf) for one in bags]), np.concatenate([one.places for one in bags]), ends),
        shape=(len(bags), SIZE),
    )
    model = LogisticRegression(C=parameters.strength, class_weight="balanced", solver="liblinear", random_state=parameters.seed)
    model.fit(matrix, truth)
    return Tfidf(idf, model.coef_[0].astype(np.float32), float(model.intercept_[0]))


def calibrated(method: Literal["sigmoid", "isotonic"], scores: Floats, truth: NDArray[np.bool_]) -> Calibration:
    """Learned from scores of texts that the classifier was not trained on."""
    if method == "isotonic":
        fitted = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(scores, truth)
        return Calibration(
            scores=tuple(map(float, fitted.X_thresholds_)), probabilities=tuple(map(float, fitted.y_thresholds_))
        )
    return _platt(scores, truth)


def _platt(scores: Floats, truth: NDArray[np.bool_]) -> Calibration:
    """Platt, Probabilistic Outputs for Support Vector Machines (1999): targets drawn in from 0 and 1, so that few and well
    parted labels do not make the curve a step. A soft target is two weighted examples."""
    garbage, good = int(truth.sum()), int((~truth).sum())
    target = np.where(truth, (garbage + 1) / (garbage + 2), 1 / (good + 2))
    fitted = LogisticRegression(C=1e6, max_iter=1_000).fit(
        np.concatenate([scores, scores])[:, None],
        np.repeat([1, 0], len(scores)),
        sample_weight=np.concatenate([target, 1 - target]),
    )
    # A curve that falls would call the likelier garbage the better text: nothing was learned, and all are alike.
    slope = max(0.0, float(fitted.coef_[0, 0]))
    return Calibration(slope=slope, offset=float(fitted.intercept_[0]) if slope else float(np.log((garbage + 1) / (good + 1))))
