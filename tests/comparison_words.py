"""The data of the comparisons that are tested, and what `mk11.compare` says of them."""

import re

from run_folders import Cells

from mk11.evaluation.predictions import read_predictions

CELLS = Cells(images=(60, 45, 30, 15), patients=60)
FEW = "--draws=200"


def line_with(text, *words):
    (line,) = [line for line in text.splitlines() if all(word in line for word in words)]
    return line


def numbers(line):
    return [float(number) for number in re.findall(r"[-+]?\d+\.\d+", line)]


def predictions_of(place, model):
    """Fold to test predictions of the best checkpoint, straight from the files."""
    found = {}
    for path in sorted(place.glob(f"train/mk11/{model}/*/predictions.parquet")):
        table, _ = read_predictions(path)
        table = table[(table["split"] == "test") & (table["checkpoint"] == "best")]
        found[int(table["fold"].iloc[0])] = table.set_index("id").sort_index()
    return found


def predicted(table):
    scores = table[[column for column in table if column.startswith("p_")]]
    return scores.to_numpy().argmax(axis=1)
