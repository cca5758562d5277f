"""The default garbage classifier: TF-IDF of hashed n-grams and a logistic regression, asked with numpy alone."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.cleaning.stages.calibration import Floats
from services.cleaning.stages.features import Bag, bag, weighted


@dataclass(frozen=True, slots=True)
class Tfidf:
    """Weights of the features: `idf` and `coefficients` are `[SIZE]`."""

    idf: NDArray[np.float32]
    coefficients: NDArray[np.float32]
    intercept: float

    def scores(self, texts: Sequence[str], rules: Sequence[str]) -> Floats:
        """Log-odds of garbage, not calibrated yet."""
        return np.array([self.score(bag(text, rule)) for text, rule in zip(texts, rules, strict=True)], dtype=np.float64)

    def score(self, one: Bag) -> float:
        return float(weighted(one, self.idf) @ self.coefficients[one.places]) + self.intercept
