import re

import numpy as np
import pandas as pd
import pytest
from run_folders import Cells, write_run, write_runs
from scipy import stats
from sklearn.metrics import f1_score

from mk11.compare.__main__ import main
from mk11.compare.classes import by_class
from mk11.compare.flips import KINDS, counts, flips
from mk11.compare.sides import sides
from mk11.evaluation.predictions import read_predictions
from mk11.evaluation.statistics.bootstrap import METRICS
from mk11.evaluation.statistics.sets import FoldPredictions

CELLS = Cells(images=(60, 45, 30, 15), patients=60)
FEW = "--draws=200"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two models on five folds; one seed."""
    place = tmp_path_factory.mktemp("compare") / "runs"
    write_runs(place, models={"convnext": 2.0, "vit": 1.0}, cells=CELLS)
    return place


@pytest.fixture
def compare(capsys, monkeypatch):
    """Run `python -m mk11.compare`; returns what it printed and the exit status."""
    monkeypatch.delenv("COLUMNS", raising=False)

    def run(*arguments):
        code = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return out, err, code

    return run


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


def test_the_difference_its_folds_and_its_t_test_are_those_of_scikit_learn_and_scipy(runs, compare):
    out, err, code = compare("convnext", "vit", "--runs", runs, FEW)
    assert (code, err) == (0, "")
    scores = [
        [
            f1_score(table["label"], predicted(table), average="macro", zero_division=0)
            for table in found.values()
        ]
        for found in (predictions_of(runs, "convnext"), predictions_of(runs, "vit"))
    ]
    a, b = 100 * np.array(scores)
    assert numbers(line_with(out, "f1_macro of A"))[:2] == pytest.approx([a.mean(), a.std(ddof=1)], abs=0.006)
    assert numbers(line_with(out, "f1_macro of B"))[:2] == pytest.approx([b.mean(), b.std(ddof=1)], abs=0.006)
    difference, low, high = numbers(next(line for line in out.splitlines() if line.startswith("A - B")))
    assert difference == pytest.approx((a - b).mean(), abs=0.006)
    assert low < difference < high
    t, p = stats.ttest_rel(a, b)
    told = line_with(out, "p, paired t-test")
    assert f"t(4) = {t:.2f}" in told
    assert f"{p:.3f}" in told or (p < 0.001 and "below 0.001" in told)
    rows = [line.split() for line in out.splitlines() if re.match(r" \d  ", line)]
    assert np.array(rows, float) == pytest.approx(np.column_stack([range(5), a, b, a - b]), abs=0.006)
    assert "p, corrected t-test" in out
    assert "smallest detectable" in out


def test_classes_stand_side_by_side_with_an_interval_of_each_difference(runs, compare):
    pair = sides(("convnext", "vit"), [runs])
    rows = by_class(pair, draws=100, seed=0, level=0.95)
    assert [(row.subtype, row.measure) for row in rows[:3]] == [
        ("blast", "pr_auc"),
        ("blast", "f1"),
        ("granular", "pr_auc"),
    ]
    assert [row.images for row in rows[::2]] == list(CELLS.images)
    a, b = predictions_of(runs, "convnext"), predictions_of(runs, "vit")
    for place, row in enumerate(rows[1::2]):
        expected = [
            np.mean(
                [
                    f1_score(table["label"], predicted(table), labels=[place], average=None)
                    for table in side.values()
                ]
            )
            for side in (a, b)
        ]
        assert row.values == pytest.approx(expected)
        assert row.interval.estimate == pytest.approx(expected[0] - expected[1])
        assert row.interval.low <= row.interval.estimate <= row.interval.high
    out, _, _ = compare("convnext", "vit", "--runs", runs, FEW)
    told = numbers(line_with(out, "granular", "45"))
    assert told[2] == pytest.approx(100 * rows[2].interval.estimate, abs=0.006)


def test_flips_are_counted_and_listed_as_the_files_have_them(runs, compare):
    out, _, _ = compare("convnext", "vit", "--runs", runs, FEW, "--all")
    a, b = (pd.concat(predictions_of(runs, model).values()) for model in ("convnext", "vit"))
    b = b.loc[a.index]
    ours, theirs, label = predicted(a), predicted(b), a["label"].to_numpy()
    flipped = ours != theirs
    kinds = [
        (flipped & (ours == label)).sum(),
        (flipped & (theirs == label)).sum(),
        (flipped & (ours != label) & (theirs != label)).sum(),
    ]
    told = ", ".join(f"{count} {kind}" for count, kind in zip(kinds, KINDS, strict=True))
    assert f"{flipped.sum()} of {len(label)} images are predicted otherwise by B than by A: {told}." in out
    listed = {line.split()[0] for line in out.splitlines() if ".png" in line}
    assert listed == set(a.index[flipped])


def fold_of(probabilities, labels, *, seeds=(0,)):
    """Predictions of one fold; `probabilities` is (seeds, images, 3)."""
    count = len(labels)
    return FoldPredictions(
        fold=0,
        seeds=seeds,
        probabilities=np.array(probabilities, np.float32),
        labels=np.array(labels),
        groups=np.array([""] * count),
        ids=np.array([f"i{n}" for n in range(count)]),
        classes=("x", "y", "z"),
        train_images=10,
    )


X, Y, Z, WEAK_Y = (0.8, 0.1, 0.1), (0.05, 0.9, 0.05), (0.2, 0.2, 0.6), (0.3, 0.4, 0.3)


def test_flips_by_hand_the_surest_contradiction_first():
    a = fold_of([[X, X, X, Y, X]], [0, 0, 1, 2, 2])
    b = fold_of([[X, WEAK_Y, Y, X, Z]], [0, 0, 1, 2, 2])
    found = flips([a], [b])
    assert [(flip.id, flip.kind) for flip in found] == [
        ("i2", "wrong -> right"),
        ("i3", "wrong -> other wrong"),
        ("i4", "wrong -> right"),
        ("i1", "right -> wrong"),
    ]
    assert found[3].predicted == ("x", "y")
    assert found[3].probability == pytest.approx((0.8, 0.4))
    assert counts(found) == dict(zip(KINDS, (1, 2, 1), strict=True))


def test_several_seeds_predict_by_their_mean():
    a = fold_of([[X], [WEAK_Y], [WEAK_Y]], [0], seeds=(0, 1, 2))  # two of three say y, the mean says x
    assert flips([a], [fold_of([[X]], [0])]) == []


def test_the_list_of_flips_is_cut_at_twenty(tmp_path, compare):
    write_runs(tmp_path, models={"a": 0.0, "b": 0.0}, folds=(0,), cells=Cells(images=(60,) * 4, patients=60))
    out, _, _ = compare("a", "b", "--runs", tmp_path, FEW)
    assert len([line for line in out.splitlines() if ".png" in line]) == 20
    assert re.search(r"\d+ more, of which one side is less sure, with --all", out)


def test_two_runs_of_one_fold_have_an_interval_and_no_t_test(runs, compare):
    folders = [next(runs.glob(f"train/mk11/{model}/fold3*")) for model in ("convnext", "vit")]
    out, _, code = compare(*folders, FEW)
    assert code == 0
    assert "A = mk11/convnext" in out
    assert "fold 3, seed 0" in out
    assert "bootstrap over" in out
    assert "t-test " not in out.split("One fold")[0]
    assert "One fold: nothing is said about other training images, and no t-test is possible." in out


def test_folders_above_runs_keys_and_labels_mean_the_same(runs, compare):
    by_name, _, _ = compare("convnext", "vit", "--runs", runs, FEW)
    key = re.search(r"B = mk11/vit \((\w{8})\)", by_name)[1]
    by_others, _, _ = compare(runs / "train/mk11/convnext", key, "--runs", runs, FEW)
    assert by_others == by_name


def test_two_seeds_of_one_configuration_are_told_apart_by_their_letters(tmp_path, compare):
    a, b = (write_run(tmp_path / f"s{seed}", seed=seed, cells=CELLS) for seed in (0, 1))
    out, _, code = compare(a, b, FEW)
    assert code == 0
    assert f"A = A ({a})" in out
    assert "fold 0, seed 1" in out
    assert "No config key differs." in out


def test_only_the_keys_that_differ_are_shown(tmp_path, compare):
    write_run(tmp_path / "a", cells=CELLS)
    write_run(
        tmp_path / "b", cells=CELLS, config={"optim.base_lr": 0.016, "epochs": 7}, record={"commit": "f" * 40}
    )
    out, _, _ = compare(tmp_path / "a", tmp_path / "b", FEW)
    table = out.split("key that differs")[1].split("\n\n")[0]
    rows = [line.split() for line in table.splitlines() if re.search(r"\w", line)][1:]
    assert rows == [
        ["commit", "0123456789ab", "f" * 12],
        ["epochs", "6", "7"],
        ["optim.base_lr", "0.008", "0.016"],
    ]


def test_another_state_of_the_data_is_pointed_out(tmp_path, compare):
    write_run(tmp_path / "a", cells=CELLS)
    write_run(tmp_path / "b", cells=CELLS, data_set="0" * 16)
    out, _, _ = compare(tmp_path / "a", tmp_path / "b", FEW)
    assert "The data differ in more than these test images" in out


def test_missing_folds_are_refused_by_name(tmp_path, compare):
    write_runs(tmp_path, missing=[("vit", 1, 0), ("vit", 4, 0)], cells=CELLS)
    out, err, code = compare("convnext", "vit", "--runs", tmp_path, FEW)
    assert (out, code) == ("", 2)
    assert "mk11/vit lacks folds 1, 4" in err


def test_other_images_are_refused(tmp_path, compare):
    write_run(tmp_path, model="a", cells=CELLS)
    write_run(tmp_path, model="b", cells=Cells(images=(61, 45, 30, 15), patients=60))
    _, err, code = compare("a", "b", "--runs", tmp_path, FEW)
    assert code == 2
    assert "must be tested on the same images" in err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("convnext", "convnext"), "A and B must be different runs"),
        (("convnext", "nothing"), "is nothing"),
        (("convnext", "vit", "--metric", "f1"), "f1"),
        (("convnext", "vit", "--metric", "speed"), "the metric must be one of accuracy"),
        (("convnext", "vit", "--metric", "f1:unknown"), "blast"),
        (("convnext", "vit", "--draws", "0"), "at least 1, but is 0"),
    ],
)
def test_what_cannot_be_compared_is_told_in_a_sentence(arguments, told, runs, compare):
    out, err, code = compare(*arguments, "--runs", runs)
    assert (out, code) == ("", 2)
    assert told in err
    assert len(err.splitlines()) == 1


def test_a_folder_of_several_configurations_names_them(runs, compare):
    _, err, code = compare(runs, "vit", "--runs", runs)
    assert code == 2
    assert "must hold runs of one configuration, but holds mk11/convnext" in err


def test_runs_without_a_result_are_refused(tmp_path, compare):
    write_run(tmp_path, model="a", status="failed")
    write_run(tmp_path, model="b", cells=CELLS)
    _, err, code = compare("a", "b", "--runs", tmp_path)
    assert (code, "a must have a finished run, but has none" in err) == (2, True)
    _, err, code = compare(tmp_path / "train/mk11/a", "b", "--runs", tmp_path)
    assert (code, "must hold a finished run" in err) == (2, True)


def test_a_damaged_run_folder_is_named(tmp_path, compare):
    bad = write_run(tmp_path, model="a")
    (bad / "run.json").write_text("{")
    _, err, code = compare(bad, "b", "--runs", tmp_path)
    assert (code, "run.json" in err) == (2, True)


def test_runs_that_are_nowhere_are_told_apart_from_names_that_mean_nothing(tmp_path, compare):
    _, err, code = compare("a", "b", "--runs", tmp_path / "nowhere")
    assert (code, "a is no folder" in err) == (2, True)


def test_the_declared_primary_metric_is_the_default(tmp_path, compare):
    for model in ("a", "b"):
        write_run(tmp_path, model=model, cells=CELLS, analysis={"primary": "pr_auc"})
    assert "pr_auc of A" in compare("a", "b", "--runs", tmp_path, FEW)[0]
    assert "accuracy of A" in compare("a", "b", "--runs", tmp_path, FEW, "--metric", "accuracy")[0]


@pytest.mark.parametrize("names", [("a", "b"), ("b", "a")])
def test_a_declared_comparison_is_called_so_from_either_side(names, tmp_path, compare):
    analysis = {"name": "table2", "baseline": "a", "comparisons": ["mk11/b"]}
    for model in ("a", "b", "c"):
        write_run(tmp_path, model=model, cells=CELLS, analysis=analysis)
    assert "Declared in advance in analysis table2" in compare(*names, "--runs", tmp_path, FEW)[0]
    assert "Not declared in advance" in compare("b", "c", "--runs", tmp_path, FEW)[0]


def test_old_runs_without_an_analysis_are_compared_by_macro_f1(tmp_path, compare):
    for model in ("a", "b"):
        write_run(tmp_path, model=model, cells=CELLS, old=True)
    out, _, code = compare("a", "b", "--runs", tmp_path, FEW)
    assert (code, "f1_macro of A" in out) == (0, True)


def test_images_are_resampled_where_no_patient_is_known_and_few_patients_are_pointed_out(tmp_path, compare):
    for model in ("a", "b"):
        write_run(tmp_path / "images", model=model, cells=Cells(patients=0))
        write_run(tmp_path / "patients", model=model, cells=Cells(patients=15))
    assert "bootstrap over 41 images" in compare("a", "b", "--runs", tmp_path / "images", FEW)[0]
    out, _, _ = compare("a", "b", "--runs", tmp_path / "patients", FEW)
    assert "A fold has only 3 patients: the interval is too narrow" in out


def test_runs_on_the_patients_locked_away_are_compared_where_there_is_nothing_else(tmp_path, compare):
    for model in ("a", "b"):
        write_run(tmp_path, model=model, fold="final", cells=CELLS)
    out, _, code = compare("a", "b", "--runs", tmp_path, FEW)
    assert (code, "fold final, seed 0" in out) == (0, True)


@pytest.mark.parametrize("metric", [*METRICS, "recall:naked"])
def test_every_metric_can_be_compared_and_agrees_with_the_folds_below(metric, runs, compare):
    out, _, code = compare("convnext", "vit", "--runs", runs, "--draws=20", "--metric", metric)
    assert code == 0
    a, b = (numbers(line_with(out, f"{metric} of {letter}"))[0] for letter in "AB")
    difference = numbers(next(line for line in out.splitlines() if line.startswith("A - B")))[0]
    assert difference == pytest.approx(a - b, abs=0.011)


def test_a_class_without_test_images_has_no_value_and_stops_nothing(tmp_path, compare):
    for model in ("a", "b"):
        write_run(tmp_path, model=model, cells=Cells(images=(60, 45, 30, 0), patients=60))
    out, _, code = compare("a", "b", "--runs", tmp_path, FEW)
    assert code == 0
    assert line_with(out, "hyperlobulated", " - ")


def test_both_measures_share_a_table_where_there_is_room(runs, compare, monkeypatch):
    for width, tables in ((80, 2), (200, 1)):
        monkeypatch.setenv("COLUMNS", str(width))
        out, _, _ = compare("convnext", "vit", "--runs", runs, FEW)
        assert len(re.findall(r"class +images", out)) == tables
        rows = out.split("key that differs")[0].split("fold  ")[1].splitlines()
        assert max(map(len, rows)) <= width


def test_output_to_a_pipe_is_plain_and_class_names_steer_no_terminal(tmp_path, compare):
    odd = Cells(classes=("[red]x[/red]", "a\x1b[2Jb", "ä µ", "=1+1"), patients=60)
    for model in ("a", "b"):
        write_run(tmp_path, model=model, cells=odd)
    out, _, _ = compare("a", "b", "--runs", tmp_path, FEW, "--all")
    assert "\x1b" not in out
    assert "[red]x[/red]" in out
    assert "a?[2Jb" in out
    assert "ä µ" in out


def test_predictions_that_are_gone_are_named(tmp_path, compare):
    path = write_run(tmp_path, model="a", cells=CELLS)
    write_run(tmp_path, model="b", cells=CELLS)
    (path / "predictions.parquet").unlink()
    _, err, code = compare("a", "b", "--runs", tmp_path)
    assert (code, "predictions.parquet" in err) == (2, True)


def test_a_comparison_of_the_other_side_is_the_same_with_the_other_sign(runs, compare):
    out, _, _ = compare("convnext", "vit", "--runs", runs, FEW)
    swapped, _, _ = compare("vit", "convnext", "--runs", runs, FEW)
    (difference, low, high), (other, other_low, other_high) = (
        numbers(next(line for line in text.splitlines() if line.startswith("A - B")))
        for text in (out, swapped)
    )
    assert (difference, low, high) == pytest.approx((-other, -other_high, -other_low), abs=0.011)


def test_help_shows_an_example(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    assert "example: python -m mk11.compare convnext vit" in capsys.readouterr().out
