"""What prototypes are made of and whom they admit: clusters are not classes, and a selection says so."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Int
from sklearn.metrics import adjusted_rand_score, homogeneity_completeness_v_measure

from mk11.selection.prototypes import Prototypes
from mk11.selection.strategies.base import Selection


def prototype_table(selection: Selection) -> pd.DataFrame:
    """A row for each prototype.

    Columns: prototype, subtype (majority of the labelled crops nearest to it), purity (their share), size
    (labelled crops of the cluster), least and most (distances inside it), threshold, candidates (those that
    it decides about), within (their number within the threshold), admitted.
    """
    found, table = selection.prototypes, selection.table
    counts = pd.DataFrame(
        {
            "prototype": table["prototype"],
            "candidates": 1,
            "within": (table["distance"] <= table["threshold"]).astype(int),
            "admitted": table["admitted"].astype(int),
        }
    )
    summed = counts.groupby("prototype").sum().reindex(range(len(found.sizes)), fill_value=0)
    described = pd.DataFrame(
        {
            "prototype": np.arange(len(found.sizes)),
            "subtype": found.subtypes,
            "purity": found.purity,
            "size": found.sizes,
            "least": found.least,
            "most": found.most,
            "threshold": selection.thresholds,
        }
    )
    return described.join(summed)


def agreement(prototypes: Prototypes, labels: Int[np.ndarray, " images"]) -> dict[str, float]:
    """How the labelled crops' nearest prototypes agree with their labels.

    `purity`: share of crops whose nearest prototype has their subtype as its majority. `adjusted_rand`: 1 =
    the same partition, 0 = chance (Hubert and Arabie 1985). `homogeneity`: 1 = each prototype holds one
    class; `completeness`: 1 = each class lies at one prototype (Rosenberg and Hirschberg 2007).
    """
    counts = pd.crosstab(prototypes.nearest, labels)
    homogeneity, completeness, _ = homogeneity_completeness_v_measure(labels, prototypes.nearest)
    return {
        "purity": float(counts.max(axis=1).sum() / len(labels)),
        "adjusted_rand": float(adjusted_rand_score(labels, prototypes.nearest)),
        "homogeneity": float(homogeneity),
        "completeness": float(completeness),
    }


def kind_table(selection: Selection, kinds: Sequence[str]) -> pd.DataFrame:
    """Candidates and admitted of each true kind ("" = unknown) in the order of `Selection.table`.

    Columns: kind, candidates, admitted, share (of the kind's candidates that were admitted).
    """
    table = pd.DataFrame(
        {"kind": list(kinds), "candidates": 1, "admitted": selection.table["admitted"].astype(int)}
    )
    summed = table.groupby("kind").sum().reset_index()
    return summed.assign(share=summed["admitted"] / summed["candidates"])


def purity_report(
    selection: Selection, labels: Int[np.ndarray, " images"], *, kinds: Sequence[str] | None
) -> dict[str, Any]:
    """All of the above as plain data for JSON, where NaN is null.

    Args:
        selection: What was selected.
        labels: Of the labelled crops, in the order in which they were given.
        kinds: True kinds of the candidates, in the order of `Selection.table`; None: unknown.
    """
    admitted = selection.table["admitted"]
    return {
        "candidates": len(admitted),
        "admitted": int(admitted.sum()),
        "reasons": {
            told: int(n) for told, n in selection.table.loc[~admitted, "reason"].value_counts().items()
        },
        "agreement": agreement(selection.prototypes, labels),
        "prototypes": _records(prototype_table(selection)),
        "kinds": None if kinds is None else _records(kind_table(selection, kinds)),
    }


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    rows = table.astype(object).to_dict("records")
    return [{str(key): _plain(value) for key, value in row.items()} for row in rows]


def _plain(value: Any) -> Any:  # noqa: ANN401
    plain = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(plain, float) and math.isnan(plain) else plain
