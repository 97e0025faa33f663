"""What the terminal shows of a probe."""

import io

import pytest
from rich.console import Console

from mk11.evaluation.probe.table import COLUMNS, over_folds, print_mean, print_probe, rows_of


def printed(results, width=200):
    console = Console(file=io.StringIO(), width=width)
    print_probe(console, "some/encoder", results)
    return console.file.getvalue()


def test_each_method_has_a_row_with_its_choice_and_figures(result):
    lines = printed([result()]).splitlines()
    shown = {line[6:].strip().split("  ")[0]: line for line in lines}
    assert "k = 5" in shown["k-NN"]
    assert "50.0" in shown["k-NN"]
    assert "C = 0.01" in shown["linear probe"]
    assert "60.0" in shown["linear probe"]
    assert "70.0" in shown["prototypes, all images"]
    assert "40.0 ± 5.0" in shown["prototypes, 1 shot"]
    assert "40.0 ± 5.0" in shown["prototypes, 5 shots"]


def test_the_title_and_the_state_of_the_features_are_told(result):
    text = printed([result()])
    assert "some/encoder on folder: test split, 2 classes, per cent" in text
    assert "RankMe 12.3 of 40, std 0.56 (1 = spread, 0 = collapsed)" in text
    assert "± sd over 3 draws" in text


def test_several_folds_end_with_their_mean_and_deviation(result):
    folds = [result(data__fold=fold, knn__test__f1_macro=value) for fold, value in enumerate((0.2, 0.4))]
    assert "30.0 ± 14.1" in printed(folds)
    row = over_folds([list(rows_of(fold)) for fold in folds])[0]
    assert row.method == "k-NN"
    assert row.values["f1_macro"].mean == pytest.approx(0.3)
    assert row.values["f1_macro"].sd == pytest.approx(0.02**0.5)
    assert set(row.values) == set(COLUMNS)


def test_the_title_says_where_features_are_of_the_class_token(result):
    assert "some/encoder, class token on folder" in printed([result(class_token=True)])


def test_the_mean_of_a_configuration_names_its_folds(result):
    console = Console(file=io.StringIO(), width=200)
    folds = [result(data__fold=fold, knn__test__f1_macro=value) for fold, value in enumerate((0.2, 0.4))]
    print_mean(console, "folder/mae", folds)
    text = console.file.getvalue()
    assert "folder/mae, 2 encoders on folder: test split" in text
    assert "30.0 ± 14.1" in text
    assert "folds 0, 1, an encoder each" in text
    assert "k = 5" not in text


def test_what_only_one_fold_has_is_not_averaged(result):
    one, other = result(), result()
    other["prototype"]["few"] = other["prototype"]["few"][:1]
    methods = [row.method for row in over_folds([list(rows_of(one)), list(rows_of(other))])]
    assert "prototypes, 1 shot" in methods
    assert "prototypes, 5 shots" not in methods


def test_what_is_not_clean_is_told(result):
    found = result(
        data__marks={"weights": ["x was trained on 3 of this fold's validation and test images"]},
        linear__converged=False,
    )
    found["prototype"]["few"][1]["short"] = ["rare"]
    text = printed([found])
    assert "careful: fold 0 is marked: weights: x was trained on 3" in text
    assert "the linear probe's fit stopped at its last iteration" in text
    assert "careful: fold 0 trains with fewer than 5 images of rare" in text
    assert "careful" not in printed([result()])
