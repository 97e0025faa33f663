"""Small data sets, and crops that are none of their images."""

import pandas as pd
import pytest


@pytest.fixture
def cells(cell_data, class_folders):
    """24 images in three folds."""
    return cell_data(class_folders, folds={"count": 3})


@pytest.fixture
def crops(tmp_path, save):
    """A folder of five other images, one of them deep inside."""
    for number in range(4):
        save(tmp_path / "crops" / f"{number}.png", 1000 + number, height=7)
    save(tmp_path / "crops" / "slide" / "deep.png", 1004)
    return tmp_path / "crops"


@pytest.fixture
def patients(cell_data, tmp_path, save):
    """Twelve images of six patients in three folds."""
    root, rows = tmp_path / "patients", []
    for number in range(12):
        save(root / f"{number}.png", 500 + number)
        rows.append({"path": f"{number}.png", "subtype": "ab"[number % 2], "group": f"P{number // 2}"})
    pd.DataFrame(rows).to_csv(root / "cells.csv", index=False)
    return cell_data(root, folds={"count": 3})


@pytest.fixture
def numbered(cell_data, tmp_path, save):
    """Nine images of the patients 000 to 008 in three folds."""
    root = tmp_path / "numbered"
    rows = [{"path": f"{n}.png", "subtype": "ab"[n % 2], "group": f"00{n}"} for n in range(9)]
    for number, row in enumerate(rows):
        save(root / row["path"], 700 + number)
    pd.DataFrame(rows).to_csv(root / "cells.csv", index=False)
    return cell_data(root, folds={"count": 3})
