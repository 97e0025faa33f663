"""Intervals, calibration and comparisons of configurations, from their predictions by way of the cache."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

from mk11.evaluation.calibration import BINS, calibration_of
from mk11.evaluation.statistics.bootstrap import Interval, interval
from mk11.evaluation.statistics.comparison import Comparison, compare
from mk11.evaluation.statistics.sets import FINAL, FoldPredictions, load_folds
from mk11.evaluation.statistics.summary import FoldSummary, over_folds
from mk11.report.cache import Cache
from mk11.report.findings import CALIBRATION
from mk11.runs.configurations import Configuration
from mk11.runs.ledger import Run


@dataclass
class Measured:
    """Answers from predictions, which are read once, and only for what is not in the cache."""

    cache: Cache
    draws: int
    seed: int
    level: float
    _folds: dict[str, list[FoldPredictions]] = field(default_factory=dict)

    def interval(self, configuration: Configuration, metric: str) -> Interval:
        """Bootstrap interval of a metric averaged over folds.

        Raises:
            UserError: There is none, and why.
        """
        answer = self.cache.get(
            ["interval", metric, self._how(), _sizes(configuration)],
            numbered(configuration),
            lambda: asdict(interval(self._load(configuration), metric, **self._how())),
        )
        return Interval(**answer)

    def comparison(self, a: Configuration, b: Configuration, metric: str) -> Comparison:
        """A metric of `a` less that of `b`.

        Raises:
            UserError: They have not the same folds and images.
        """
        answer = self.cache.get(
            ["comparison", metric, self._how(), _sizes(a), _sizes(b)],
            [*numbered(a), *numbered(b)],
            lambda: _plain(compare(self._load(a), self._load(b), metric=metric, **self._how())),
        )
        return _comparison(answer)

    def calibration(self, configuration: Configuration) -> dict[str, FoldSummary]:
        """The figures of `CALIBRATION` over folds.

        Raises:
            UserError: A run's predictions are missing or damaged.
        """
        found = {
            (run.fold, run.seed): self.cache.get(
                ["calibration", BINS], [run], partial(calibration_of, run.folder.predictions)
            )
            for run in numbered(configuration)
        }
        return {name: over_folds({cell: told[name] for cell, told in found.items()}) for name in CALIBRATION}

    def _how(self) -> dict[str, Any]:
        return {"draws": self.draws, "seed": self.seed, "level": self.level}

    def _load(self, configuration: Configuration) -> list[FoldPredictions]:
        if configuration.key not in self._folds:
            self._folds[configuration.key] = load_folds(configuration)
        return self._folds[configuration.key]


def numbered(configuration: Configuration) -> list[Run]:
    """Finished runs of the folds, without those on the images locked away."""
    return [run for run in configuration.finished if run.fold != FINAL]


def _sizes(configuration: Configuration) -> list[object]:
    """What the answer depends on besides the predictions: folds, seeds and numbers of training images."""
    return [
        [run.fold, run.seed, (run.record["data"].get("images") or {}).get("train")]
        for run in numbered(configuration)
    ]


def _plain(result: Comparison) -> dict[str, Any]:
    """As JSON, in which a fold's number would not survive as a key."""
    return {**asdict(result), "per_fold": list(result.per_fold.items())}


def _comparison(answer: Mapping[str, Any]) -> Comparison:
    told: dict[str, Any] = {**answer, "interval": Interval(**answer["interval"])}
    per_fold = {fold: value for fold, value in answer["per_fold"]}
    return Comparison(**{**told, "folds": tuple(answer["folds"]), "per_fold": per_fold})
