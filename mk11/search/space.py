"""Parameters of a W&B sweep file as what Optuna samples from.

Every parameter becomes the text that an agent would write after `key=`: W&B formats values with `str`.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import optuna
from scipy import stats

from mk11.errors import UserError

NATIVE = ("uniform", "log_uniform", "log_uniform_values", "int_uniform", "categorical", "constant")
# Of no bounds: a share of the distribution is sampled, and its quantile is the value.
QUANTILES: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
    "normal": lambda told: stats.norm(told.get("mu", 0), told.get("sigma", 1)),
    "log_normal": lambda told: stats.lognorm(s=told.get("sigma", 1), scale=math.exp(told.get("mu", 0))),
    "beta": lambda told: stats.beta(told.get("a", 1), told.get("b", 1)),
}
SMALLEST_SHARE = 1e-4  # of an unbounded distribution's either end, so that no value is infinite


@dataclass(frozen=True)
class Parameter:
    """One parameter of a sweep file."""

    name: str
    told: Mapping[str, Any]

    def __post_init__(self) -> None:
        """Refuse what an agent could not pass on or this search cannot sample.

        Raises:
            UserError: That names the parameter.
        """
        known = (*NATIVE, *QUANTILES)
        if self.kind.removeprefix("q_") not in known:
            raise UserError(
                f"parameters.{self.name}.distribution must be one of {', '.join(known)}, or q_ and one of"
                f" them, but is {self.kind}"
            )
        if any(value is None for value in self.values):
            raise UserError(f"parameters.{self.name} must not be null: W&B would write it as the word None")

    @property
    def kind(self) -> str:
        """The distribution; what W&B takes for one where none is named."""
        told = self.told
        if "distribution" in told:
            return str(told["distribution"])
        if "value" in told:
            return "constant"
        if "values" in told:
            return "categorical_with_probabilities" if "probabilities" in told else "categorical"
        if not {"min", "max"} <= set(told):
            return "parameters" if "parameters" in told else "none"
        whole = all(isinstance(told[key], int) for key in ("min", "max"))
        return "int_uniform" if whole else "uniform"

    @property
    def values(self) -> list[Any]:
        """What a constant or a category can be."""
        return [self.told["value"]] if self.kind == "constant" else list(self.told.get("values", ()))

    def suggest(self, trial: optuna.Trial) -> str:
        """The next value, as text."""
        if self.kind == "constant":
            return str(self.told["value"])
        if self.kind == "categorical":
            return str(trial.suggest_categorical(self.name, [str(value) for value in self.values]))
        value = self._number(trial)
        return str(self._quantised(value) if self.kind.startswith("q_") else value)

    def grid(self) -> list[Any]:
        """Every value, as Optuna keeps it: text of a category, a number of a range.

        Raises:
            UserError: There is no end of them.
        """
        if self.kind == "categorical":
            return [str(value) for value in self.values]
        if self.kind == "int_uniform":
            return list(range(self.told["min"], self.told["max"] + 1))
        if self.kind == "q_uniform":
            step, low, high = self.told.get("q", 1), self.told["min"], self.told["max"]
            return [number * step for number in range(math.ceil(low / step), math.floor(high / step) + 1)]
        raise UserError(f"parameters.{self.name} must have values to make a grid of, but is {self.kind}")

    def _number(self, trial: optuna.Trial) -> float | int:
        kind, told = self.kind.removeprefix("q_"), self.told
        if kind in QUANTILES:
            share = trial.suggest_float(self.name, SMALLEST_SHARE, 1 - SMALLEST_SHARE)
            return float(QUANTILES[kind](told).ppf(share))
        if kind == "int_uniform":
            return trial.suggest_int(self.name, told["min"], told["max"])
        low, high = float(told["min"]), float(told["max"])
        if kind == "log_uniform":  # W&B's older form: the bounds are exponents of e
            low, high = math.exp(low), math.exp(high)
        return trial.suggest_float(self.name, low, high, log=kind != "uniform")

    def _quantised(self, value: float) -> float | int:
        """The nearest multiple of `q`, of those within the bounds if there are any."""
        step = self.told.get("q", 1)
        number = round(value / step)
        if {"min", "max"} <= set(self.told) and self.kind != "q_log_uniform":
            low, high = math.ceil(self.told["min"] / step), math.floor(self.told["max"] / step)
            number = min(max(number, low), high) if low <= high else number
        # 3 * 0.1 is 0.30000000000000004: say the multiple as a person would
        return number * step if isinstance(step, int) else float(f"{number * step:.12g}")
