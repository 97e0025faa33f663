"""What a report is made of: rows of a table, comparisons of two rows, and what a reader must be warned of."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from mk11.evaluation.statistics.bootstrap import Interval
from mk11.evaluation.statistics.comparison import Comparison
from mk11.evaluation.statistics.summary import FoldSummary
from mk11.evaluation.statistics.weighted import CLASS_MEASURES
from mk11.runs.configurations import Configuration
from mk11.runs.ledger import FINAL, Run

MEASURES = CLASS_MEASURES  # of one class
CALIBRATION = ("ece", "brier", "ece_tempered", "brier_tempered", "temperature", "aurc")
GROUPS = ("head", "medium", "tail")  # of classes, by their number of images


@dataclass(frozen=True)
class Row:
    """A configuration with a result. All figures are of its best checkpoints on the test splits."""

    configuration: Configuration
    summaries: Mapping[str, FoldSummary]  # metric -> over folds
    per_class: Mapping[str, Mapping[str, FoldSummary]]  # class -> measure -> over folds
    groups: Mapping[str, Mapping[str, FoldSummary]]  # head, medium, tail -> measure -> over folds
    as_published: Mapping[str, FoldSummary]  # metric -> its best validation epoch, over folds
    intervals: Mapping[str, Interval]  # metric -> bootstrap interval; empty unless asked for
    calibration: Mapping[str, FoldSummary]  # `CALIBRATION` -> over folds; empty unless asked for
    marks: list[str]  # what every table of the folds must show of the data, and of tuning on these folds
    supports: Mapping[str, int]  # class -> test images, pooled over folds
    members: Mapping[str, list[str]] = field(default_factory=dict)  # head, medium, tail -> classes
    grouped_by: str = ""  # what head, medium and tail were cut by: `mk11.report.class_sizes`
    final: Mapping[str, float | None] = field(default_factory=dict)  # on the images locked away
    final_marks: list[str] = field(default_factory=list)  # what must be shown beside `final`

    @property
    def label(self) -> str:
        """The configuration's name in tables."""
        return self.configuration.label

    @property
    def folds(self) -> tuple[int | str, ...]:
        """Folds with a result, without the final one."""
        folds = {run.fold for run in self.configuration.finished} - {FINAL}
        return tuple(sorted(folds, key=lambda fold: (str(type(fold)), fold)))

    @property
    def complete(self) -> bool:
        """Whether every fold of every seed has a result."""
        return not self.configuration.missing


@dataclass(frozen=True)
class Compared:
    """A minus b on the same folds and images."""

    a: Configuration
    b: Configuration
    result: Comparison
    family: str | None  # name of the declared analysis; None: not declared in advance
    p_holm: float | None  # of the corrected t-test, over the family; None where it is not declared
    declared: int | None = None  # comparisons in the family, made or not
    p_holm_bootstrap: float | None = None  # of the bootstrap, over the family


@dataclass(frozen=True)
class Findings:
    """Everything that tables, figures and page show."""

    rows: list[Row]
    compared: list[Compared]
    refused: list[str]  # comparisons that could not be made, and why
    runs: list[Run]  # of the stage `train`, whatever became of them
    problems: list[str]  # folders that could not be read
    warnings: list[str]  # mixed data, marks, tuned on the same folds
    primary: str  # the metric that comparisons are judged by
    unfinished: list[Configuration] = field(default_factory=list)  # without a single result

    @property
    def missing(self) -> list[str]:
        """One sentence for each configuration without some of its cells, and what became of those."""
        incomplete = [row.configuration for row in self.rows if not row.complete]
        return [_missing(configuration) for configuration in [*incomplete, *self.unfinished]]


def _missing(configuration: Configuration) -> str:
    status = {(run.fold, run.seed): run.status for run in configuration.runs}
    cells = [
        f"fold {fold} seed {seed}" + (f" ({status[fold, seed]})" if (fold, seed) in status else "")
        for fold, seed in configuration.missing
    ]
    return f"{configuration.label} lacks {', '.join(cells)}"
