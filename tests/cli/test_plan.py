import math

import pytest
import torch
from rich.console import Console

from mk11.cli.crops import seen_um_per_pixel
from mk11.cli.plan import differences_from_published, layer_table, split_table
from mk11.data.transforms.resize import FixedScale, ShortSide
from mk11.models.classifier import create_classifier
from mk11.training.cost import measure_cost


@pytest.fixture
def plan(train_in_process, monkeypatch):
    """The job of a dry run, without its slow parts."""
    monkeypatch.setattr("mk11.cli.train.print_plan", lambda job: None)
    return lambda *overrides: train_in_process("dry=true", *overrides)[1]


def printed(table):
    console = Console(width=160, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    with console.file:
        console.print(table)
        return console.export_text()


def test_the_published_recipe_differs_from_itself_in_nothing(plan):
    chosen = (
        "recipe=published",
        "augment=paper",
        "epochs=50",
        "batch_size=64",
        "image_size=224",
        "model.drop_path=0.1",
    )
    differences = differences_from_published(plan(*chosen, "model.weights=none"))
    assert differences == [("model.weights", "imagenet", "none")]


def test_a_changed_augmentation_is_listed_too(plan):
    differences = differences_from_published(plan("augment=paper", "augment.re_prob=0"))
    assert ("augment.re_prob", 0.25, 0) in differences


def test_a_changed_key_is_listed_with_both_values(plan):
    differences = dict((key, (theirs, ours)) for key, theirs, ours in differences_from_published(plan()))
    assert differences["epochs"] == (50, 2)
    assert differences["augment"] == ("paper", "light")
    assert differences["optim.layer_decay"] == (0.75, 1.0)


def test_images_and_patients_are_counted_per_split_and_class(plan):
    job = plan()
    text = printed(split_table(job.fold.table, job.fold.classes))
    assert "72" not in text  # no row mixes the splits
    for split in ("train", "val", "test"):
        part = job.fold.table[job.fold.table["split"] == split]
        assert f"{len(part)} ({part['group'].nunique()})" in text


def test_a_class_name_is_never_read_as_markup(plan):
    table = plan().fold.table.assign(subtype="[/bold]")
    assert "[/bold]" in printed(split_table(table, ("[/bold]",)))


def test_the_head_learns_at_the_full_rate_and_the_stem_slowest(plan):
    text = printed(layer_table(plan("optim.layer_decay=0.5", "optim.base_lr=1.6e-2")))
    rates = [float(line.split("│")[2]) for line in text.splitlines() if line.startswith("│")]
    assert rates[-1] == pytest.approx(1e-3)
    assert rates == sorted(rates)
    assert rates[0] == pytest.approx(1e-3 * 0.5 ** (len(rates) - 1), rel=0.01)


def test_the_scale_bar_follows_what_the_network_sees():
    assert seen_um_per_pixel(FixedScale(image_size=64, target_um_per_pixel=0.5), (100, 80), 0.25) == 0.5
    # short side 80 px becomes 64 / 0.875 = 73 px
    short_side = ShortSide(image_size=64, crop_fraction=0.875)
    assert seen_um_per_pixel(short_side, (100, 80), 0.25) == pytest.approx(0.25 * 80 / 73)
    assert math.isnan(seen_um_per_pixel(short_side, (100, 80), float("nan")))


def test_cost_leaves_the_network_alone_and_counts_its_parameters(monkeypatch):
    monkeypatch.setattr("mk11.training.cost.BUDGET_SECONDS", 0.0)
    network = create_classifier(
        architecture="test_convnext", num_classes=3, image_size=32, drop_path=None, weights="none",
        allow_partial=False, options={}, mean=[0.5] * 3, std=[0.5] * 3,
    )  # fmt: skip
    before = {key: value.clone() for key, value in network.state_dict().items()}
    cost = measure_cost(network, image_size=32, accelerator="cpu", channels_last=True)
    assert cost.parameters == sum(parameter.numel() for parameter in network.parameters())
    assert cost.state_bytes == 16 * cost.parameters
    assert 0 < cost.seconds_per_image < 10
    assert cost.activation_bytes > 3 * 32 * 32 * 4  # the input at least
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())
