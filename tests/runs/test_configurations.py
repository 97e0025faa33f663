import pytest
from run_folders import write_run, write_runs

from mk11.errors import UserError
from mk11.runs.configurations import find_configuration, group_runs, mixed_data, repeated
from mk11.runs.folder import RunFolder
from mk11.runs.labels import MOST_KEYS, Named, labels
from mk11.runs.ledger import Run, find_runs

RECORD = {
    "stage": "train",
    "experiment": "mk11",
    "model": "convnext",
    "fold": 0,
    "seed": 0,
    "precision": "32-true",
    "overrides": [],
    "data": {"classes": ["a", "b"], "set": "0123456789abcdef", "folds": [0, 1, 2]},
}
CONFIG = {
    "fold": 0,
    "seed": 0,
    "epochs": 5,
    "data": {"resize": "short_side", "folds": {"count": 5}},
    "model": {"architecture": "x", "weights": "none"},
    "augment": {"_target_": "light", "strength": 0.1, "hflip": True, "shift": 0.0, "zoom": 1},
    "optim": {"base_lr": 0.1, "weight_decay": 0.05},
}


def run_of(tmp_path, *, config=None, finished=True, **record):
    """A run in memory; dotted keys of `config` and fields of run.json over the defaults."""
    content = {key: dict(value) if isinstance(value, dict) else value for key, value in CONFIG.items()}
    for dotted, value in (config or {}).items():
        group, _, key = dotted.rpartition(".")
        (content[group] if group else content)[key] = value
    record = {**RECORD, "status": "finished" if finished else "failed", **record}
    run = Run(RunFolder(tmp_path), record, {"test": {}} if finished else None)
    run.__dict__["config"] = content  # in place of the file
    return run


@pytest.fixture
def run(tmp_path):
    """Makes runs in memory."""
    return lambda **changes: run_of(tmp_path, **changes)


def test_folds_and_seeds_of_one_config_are_one_configuration(tmp_path):
    write_runs(tmp_path, models={"convnext": 1.5, "vit": 1.0}, folds=(0, 1), seeds=(0, 1))
    found = group_runs(find_runs([tmp_path])[0])
    assert [(one.label, len(one.runs)) for one in found] == [("mk11/convnext", 4), ("mk11/vit", 4)]


@pytest.mark.parametrize(
    "change",
    [
        {"config": {"optim.base_lr": 0.2}},
        {"model": "vit"},
        {"experiment": "other"},
        {"precision": "bf16-mixed"},
        {"data": {**RECORD["data"], "set": "fedcba9876543210"}},
        {"data": {**RECORD["data"], "classes": ["b", "a"]}},
        {"lineage": {"weights_hash": "ab" * 32}},
    ],
)
def test_what_can_change_a_result_makes_another_configuration(change, run):
    assert len(group_runs([run(), run(**change)])) == 2


def test_rows_whose_encoders_are_made_by_other_stages_are_not_one(run):
    """Their settings are equal: `stage:pretrain` means what the experiment file says."""
    staged = {"config": {"model.weights": "stage:pretrain"}}
    rows = [
        run(choices={"experiment": name}, **staged) for name in ("activessf/mae", "activessf/mae_activessf")
    ]
    assert len(group_runs(rows)) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"fold": 1, "config": {"fold": 1}},
        {"seed": 7, "config": {"seed": 7}},
        {"config": {"workers": 8}},
        {"config": {"jobs": 3}},
        {"config": {"analysis": {"name": "other"}}},
        {"lineage": {"weights_hash": None}},
        {"lineage": None},
    ],
)
def test_what_cannot_does_not(change, run):
    assert len(group_runs([run(), run(**change)])) == 1


def test_encoders_of_one_stage_differ_over_folds_within_one_configuration(run):
    staged = {"config": {"model.weights": "stage:pretrain"}}
    runs = [run(**staged, fold=fold, lineage={"weights_hash": str(fold)}) for fold in range(3)]
    assert len(group_runs(runs)) == 1


def test_another_selection_or_other_fields_are_another_configuration(run):
    def staged(budget, fields):
        select = {"fields": "smears", "overrides": [f"budget={budget}"]}
        lineage = {"weights_hash": "a", "field_states": [fields]}
        return run(config={"model.weights": "stage:pretrain", "select": select}, lineage=lineage)

    runs = [staged(100, "f1"), staged(200, "f1"), staged(100, "f2"), staged(100, "f1")]
    assert [len(one.runs) for one in group_runs(runs)] == [2, 1, 1]


def test_missing_cells_are_counted_for_every_seed_that_has_a_fold(run):
    runs = [run(fold=0), run(fold=1, finished=False), run(fold=2), run(fold=1, seed=1)]
    (found,) = group_runs(runs)
    assert found.expected_folds == [0, 1, 2]
    assert found.missing == [(1, 0), (0, 1), (2, 1)]


def test_a_final_run_is_neither_a_fold_nor_a_seed_to_complete(run):
    (found,) = group_runs([run(fold=fold) for fold in range(3)] + [run(fold="final", seed=9)])
    assert found.missing == []
    assert [one.fold for one in found.finished] == [0, 1, 2, "final"]


def test_folds_of_old_runs_are_counted_from_their_config(run):
    old = {"classes": ["a", "b"]}
    (found,) = group_runs([run(fold=3, data=old)])
    assert found.expected_folds == [0, 1, 2, 3, 4]


def test_of_two_finished_runs_of_a_cell_the_last_counts_and_both_are_told(run):
    early = run(ended="2026-01-01T00:00:00+00:00")
    late = run(ended="2026-01-02T00:00:00+00:00")
    (found,) = group_runs([late, early, run(fold=1)])
    assert len(found.runs) == 3
    assert found.finished[0] is late
    assert len(found.finished) == 2
    assert repeated([found]) == ["mk11/convnext fold 0 seed 0 has 2 finished runs: the last one counts"]


def test_a_failed_attempt_beside_a_result_is_no_repetition(run):
    (found,) = group_runs([run(), run(finished=False)])
    assert repeated([found]) == []


def test_runs_on_two_states_of_the_data_are_told_apart_and_warned_of(run):
    other = {**RECORD["data"], "set": "fedcba9876543210"}
    found = group_runs([run(), run(data=other)])
    assert [one.label for one in found] == [
        "mk11/convnext [set=0123456789abcdef]",
        "mk11/convnext [set=fedcba9876543210]",
    ]
    (told,) = mixed_data(found)
    assert "2 states of the data" in told
    assert mixed_data(group_runs([run(), run(data=other, model="vit")])) == []


def test_the_experiment_file_is_the_name_where_all_runs_share_it(run):
    row = {"choices": {"experiment": "mk11/convnext_paper"}}
    assert group_runs([run(**row), run(fold=1, **row)])[0].label == "mk11/convnext_paper"
    assert group_runs([run(**row), run(fold=1)])[0].label == "mk11/convnext"


def test_labels_name_the_keys_that_differ_by_their_last_word(run):
    found = group_runs([run(), run(config={"optim.base_lr": 0.25})])
    assert [one.label for one in found] == ["mk11/convnext [base_lr=0.1]", "mk11/convnext [base_lr=0.25]"]


def test_a_groups_choice_stands_for_the_keys_that_follow_from_it(run):
    strong = {"augment._target_": "paper", "augment.strength": 0.9, "augment.shift": 0.5, "augment.zoom": 2}
    found = group_runs(
        [
            run(choices={"augment": "light", "logger": "csv"}),
            run(choices={"augment": "paper", "logger": "wandb"}, config=strong),
        ]
    )
    assert [one.label for one in found] == ["mk11/convnext [augment=light]", "mk11/convnext [augment=paper]"]


def test_a_key_changed_within_one_choice_is_named_itself(run):
    choice = {"choices": {"augment": "light"}}
    found = group_runs([run(**choice), run(**choice, config={"augment.strength": 0.9})])
    assert found[1].label == "mk11/convnext [strength=0.9]"


def test_equal_last_words_stay_whole(run):
    found = group_runs([run(), run(config={"optim.shift": 1.0, "augment.shift": 1.0})])
    assert "augment.shift=1" in found[1].label
    assert "optim.shift=1" in found[1].label


def test_a_hundred_configurations_that_differ_in_many_keys_have_short_labels_of_their_own():
    named = {
        f"{n:08x}": Named(
            "mk11/convnext", {f"group.key{k}": (n * (k + 3)) % 7 for k in range(12)} | {"lr": n}, {}
        )
        for n in range(100)
    }
    found = labels(named)
    assert len(set(found.values())) == 100
    assert all(label.count("=") <= MOST_KEYS and len(label) < 80 for label in found.values())
    assert found["0000002a"] == "mk11/convnext [lr=42, ...]"


def test_where_three_keys_are_not_enough_the_label_is_the_key():
    named = {f"{n:08x}": Named("b", {f"k{bit}": n >> bit & 1 for bit in range(6)}, {}) for n in range(64)}
    assert labels(named)["0000002a"] == "b [0000002a]"


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ((0.001, 0.0010000001), "0.0010000001"),  # six digits would make them equal
        ((["a"] * 30, ["b"] * 30), None),
        (("one\nline", "two\nlines"), None),
        (("0" * 64, "1" * 64), "11111111"),
    ],
)
def test_values_are_short_and_still_differ(values, told):
    found = labels({str(n): Named("b", {"k": value}, {}) for n, value in enumerate(values)})
    assert found["0"] != found["1"]
    assert all(len(label) < 40 and label.isprintable() for label in found.values())
    assert told is None or found["1"] == f"b [k={told}]"


def test_a_configuration_is_found_by_label_key_row_model_and_name_with_model(run):
    row = {"choices": {"experiment": "paper/vit"}}
    found = group_runs([run(), run(model="vit", **row)])
    for name in (found[1].label, found[1].key, "paper/vit", "vit", "mk11/vit"):
        assert find_configuration(found, name) is found[1]


def test_a_name_of_several_or_of_none_lists_what_there_is(run):
    found = group_runs([run(config={"epochs": n}) for n in range(30)])
    with pytest.raises(UserError, match=r"convnext means .*epochs=0") as caught:
        find_configuration(found, "convnext")
    assert "18 more" in str(caught.value)
    with pytest.raises(UserError, match="is nothing"):
        find_configuration(found, "nothing")


def test_groups_of_runs_from_real_folders_are_the_same_whatever_their_order(tmp_path):
    write_run(tmp_path, fold=1)
    write_run(tmp_path, fold=0)
    runs, _ = find_runs([tmp_path])
    (one,), (other,) = group_runs(runs), group_runs(runs[::-1])
    assert one.key == other.key
    assert [run.fold for run in one.runs] == [run.fold for run in other.runs] == [0, 1]
