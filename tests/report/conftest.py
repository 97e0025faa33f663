"""Runs that the tests of the report share: read-only."""

import pytest
from run_folders import NASTY, Cells, write_run, write_runs

from mk11.report.find import find

DECLARED = {"baseline": "mk11/vit", "comparisons": ["mk11/convnext", "mk11/vgg", "mk11/absent"]}


def _found_in(*places, cache, compare=(), metric=None, intervals=True, draws=200):
    """Findings of some folders, without a progress bar."""
    return find(
        places,
        compare=compare,
        metric=metric,
        draws=draws,
        seed=0,
        level=0.95,
        intervals=intervals,
        cache=cache,
        watch=lambda rows, _: rows,
    )


@pytest.fixture(scope="session")
def found_in():
    """Find in some folders: `found_in(folder, cache=path)`."""
    return _found_in


@pytest.fixture(scope="session")
def matrix(tmp_path_factory):
    """Two models on five folds and two seeds, one cell missing; a third model running and failed."""
    root = tmp_path_factory.mktemp("matrix")
    write_runs(root, seeds=(0, 1), missing=[("vit", 2, 1)], analysis=DECLARED)
    write_run(root, model="vgg", status="running", analysis=DECLARED)
    write_run(root, model="vgg", fold=1, status="failed", analysis=DECLARED)
    return root


@pytest.fixture(scope="session")
def findings(matrix, tmp_path_factory):
    """What is found in `matrix`."""
    return _found_in(matrix, cache=tmp_path_factory.mktemp("cache") / "intervals.json")


@pytest.fixture(scope="session")
def nasty(tmp_path_factory):
    """Findings of one model whose class names are markup and formulas in every language of the report."""
    root = tmp_path_factory.mktemp("nasty")
    cells = Cells(classes=NASTY, images=(30, 25, 20, 15, 10))
    for fold in range(5):
        write_run(root, name="a|b", model="c_d", fold=fold, cells=cells, quality=2.0)
    return _found_in(root, cache=root / "cache.json", intervals=False)
