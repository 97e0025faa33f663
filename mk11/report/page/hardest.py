"""The cells that cost most: where an expert should look first."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from mk11.errors import UserError
from mk11.evaluation.hardest import COLUMNS, read_hardest
from mk11.page import png_uri
from mk11.report.names import Names
from mk11.runs.configurations import Configuration
from mk11.runs.ledger import Run

PER_KIND = 12  # images of a configuration by loss, and as many more by confidence


@dataclass(frozen=True)
class Crop:
    """One image with what it is and what it was taken for."""

    picture: str
    true: str
    predicted: str
    sure: str  # probability of the predicted class
    sure_of_true: str
    loss: str
    image: str
    patient: str
    fold: str
    others: int  # other configurations shown that have it in their lists

    @property
    def words(self) -> str:
        """For those who do not see the picture."""
        return (
            f"{self.true} taken for {self.predicted}"
            if self.true != self.predicted
            else f"{self.true}, unsure"
        )


@dataclass(frozen=True)
class Hardest:
    """A configuration's worst images; none is in both lists."""

    configuration: Configuration
    loss: list[Crop]
    confident: list[Crop]
    runs: int


def hardest(configurations: Sequence[Configuration], names: Names) -> tuple[list[Hardest], list[str]]:
    """For each configuration with stored thumbnails, the worst over its folds; and what could not be read."""
    problems: list[str] = []
    tables = {c.key: _pooled(c.finished, problems) for c in configurations}
    chosen = {key: (_by_loss(table), _by_confidence(table)) for key, table in tables.items()}
    shared = Counter(image for parts in chosen.values() for part in parts for image in part["content_hash"])
    found = [
        Hardest(
            configuration=c,
            loss=_crops(chosen[c.key][0], shared, names),
            confident=_crops(chosen[c.key][1], shared, names),
            runs=tables[c.key]["run"].nunique(),
        )
        for c in configurations
    ]
    return [one for one in found if one.loss or one.confident], list(map(names.sentence, problems))


def _pooled(runs: Sequence[Run], problems: list[str]) -> pd.DataFrame:
    tables = []
    for run in runs:
        if run.folder.hardest.exists():
            try:
                table = read_hardest(run.folder.hardest)
                table["picture"] = [png_uri(bytes(content)) for content in table["thumbnail"]]
            except (UserError, TypeError, ValueError) as error:
                problems.append(f"{run.folder.hardest} was left out: {error}")
            else:
                tables.append(table.assign(fold=str(run.fold), run=str(run.folder.path)))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=[*COLUMNS, "fold", "run"])


def _by_loss(table: pd.DataFrame) -> pd.DataFrame:
    worst = table[table["why"] == "loss"].sort_values("loss", ascending=False, kind="stable")
    return worst.drop_duplicates("content_hash").head(PER_KIND)


def _by_confidence(table: pd.DataFrame) -> pd.DataFrame:
    wrong = table[
        (table["why"] == "confident") & ~table["content_hash"].isin(_by_loss(table)["content_hash"])
    ]
    worst = wrong.sort_values("probability", ascending=False, kind="stable")
    return worst.drop_duplicates("content_hash").head(PER_KIND)


def _crops(table: pd.DataFrame, shared: Counter[str], names: Names) -> list[Crop]:
    return [
        Crop(
            picture=row["picture"],
            true=str(row["subtype"]),
            predicted=str(row["predicted"]),
            sure=_share(row["probability"]),
            sure_of_true=_share(row["probability_true"]),
            loss=f"{row['loss']:.2f}",
            image=names.image(str(row["id"])),
            patient=names.patient(str(row["group"])),
            fold=row["fold"],
            others=shared[row["content_hash"]] - 1,
        )
        for row in table.to_dict("records")
    ]


def _share(probability: float) -> str:
    if 0 < probability < 0.01:
        return "<\N{NO-BREAK SPACE}1\N{NO-BREAK SPACE}%"
    return (
        f"{100 * min(probability, 0.999):.1f}\N{NO-BREAK SPACE}%"
        if probability > 0.99
        else f"{100 * probability:.0f}\N{NO-BREAK SPACE}%"
    )
