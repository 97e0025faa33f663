import copy
import math

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.metrics import f1_score

from mk11.runs.folder import RunFolder
from mk11.ssl.health.checks import HealthCheck, undisturbed
from mk11.ssl.health.collapse import CollapseAlarm
from mk11.ssl.health.pictures import as_bytes, enlarged, image_grid, write_sheet
from mk11.ssl.health.probe import OnlineProbe, standardised
from mk11.ssl.health.watch import Watch
from mk11.ssl.method import Pictures
from mk11.ssl.settings import HealthSettings, Settings

MEAN, STD = [0.5, 0.4, 0.3], [0.2, 0.25, 0.1]


def clusters(seed=0, count=90, classes=3, spread=0.3):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % classes
    centres = torch.eye(8)[:classes] * 4
    return centres[labels] + spread * torch.randn(count, 8, generator=generator), labels


def probe(**changed):
    return OnlineProbe(**{"lr": 0.05, "batch": 16, "epochs": 10, "seed": 1, **changed})


def test_the_probe_learns_what_is_linear():
    train, labels = clusters()
    test, truth = clusters(seed=1)
    follower = probe()
    follower.follow(train, labels, num_classes=3)
    predicted = follower.predicted(test, reference=train)
    assert f1_score(truth, predicted, average="macro") > 0.95


def test_the_probe_never_touches_what_it_reads():
    images, labels = clusters()
    encoder = torch.nn.Linear(8, 8)
    features = encoder(images)
    before = features.detach().clone()
    probe().follow(features, labels, num_classes=3)
    assert torch.equal(features, before)
    assert all(parameter.grad is None for parameter in encoder.parameters())


def test_a_resumed_probe_goes_on_exactly():
    (first, labels), (second, _) = clusters(), clusters(seed=1)
    whole = probe()
    whole.follow(first, labels, num_classes=3)
    resumed = probe(seed=1)
    resumed.load_state_dict(copy.deepcopy(whole.state_dict()))  # as from a file
    for each in (whole, resumed):
        each.follow(second, labels, num_classes=3)
    one, two = whole.state_dict(), resumed.state_dict()
    assert torch.equal(one["layer"]["weight"], two["layer"]["weight"])
    assert (one["checks"], two["checks"]) == (2, 2)


def test_the_probes_state_survives_a_safe_checkpoint(tmp_path):
    follower = probe()
    follower.follow(*clusters(), num_classes=3)
    torch.save(follower.state_dict(), tmp_path / "probe.pt")
    other = probe()
    other.load_state_dict(torch.load(tmp_path / "probe.pt", weights_only=True))
    train, _ = clusters()
    assert torch.equal(follower.predicted(train, reference=train), other.predicted(train, reference=train))


def test_a_probe_that_has_not_begun_has_nothing_to_remember():
    other = probe()
    other.load_state_dict(probe().state_dict())
    assert other.parts is None


def test_standardised_features_have_mean_0_and_deviation_1():
    features = torch.randn(50, 4) * torch.tensor([1.0, 5.0, 0.1, 3.0]) + 7
    scaled = standardised(features, features).numpy()
    np.testing.assert_allclose(scaled.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(scaled.std(0, ddof=1), 1, atol=1e-3)


def alarm(**changed):
    return CollapseAlarm(**{"below": 0.02, "chance_margin": 0.01, "patience": 2, **changed})


def judged(one, *, std=0.3, loss=1.0, chance=None, epoch=1):
    return one.judge(epoch=epoch, feature_std=std, loss=loss, chance=chance)


def test_features_that_point_one_way_raise_the_alarm_after_its_patience():
    one = alarm()
    assert judged(one, epoch=5) is None
    assert "below health.collapse_below=0.02" in judged(one, std=0.01, epoch=10)
    assert not one.raised
    judged(one, std=0.0, epoch=15)
    assert one.raised
    assert one.last_good == 5


def test_one_good_check_calms_the_alarm():
    one = alarm()
    judged(one, std=0.01)
    judged(one)
    judged(one, std=0.01)
    assert not one.raised


def test_a_loss_at_chance_is_a_collapse():
    chance = 4 * 0.2 * math.log(64)
    assert judged(alarm(), loss=chance, chance=chance) is not None
    assert judged(alarm(), loss=0.995 * chance, chance=chance) is not None
    assert judged(alarm(), loss=0.98 * chance, chance=chance) is None
    assert judged(alarm(), loss=1.05 * chance, chance=chance) is None  # has not begun to learn
    assert judged(alarm(), loss=99.0) is None  # a method without a level of chance


def test_undefined_features_are_a_collapse():
    assert judged(alarm(), std=math.nan) is not None


def test_an_alarm_goes_on_counting_after_a_resume():
    one, two = alarm(), alarm()
    judged(one, epoch=5)
    judged(one, std=0.0)
    two.load_state_dict(one.state_dict())
    judged(two, std=0.0)
    assert two.raised
    assert two.last_good == 5


def health(**changed):
    keys = dict.fromkeys(HealthSettings.__dataclass_fields__, 1) | {"on_collapse": "stop"}
    return HealthSettings(**keys | changed)


def test_checks_are_due_every_so_often_and_at_the_end():
    assert [epoch for epoch in range(1, 11) if health(every=4).due(epoch, 10)] == [4, 8, 10]
    assert not any(health(every=0).due(epoch, 10) for epoch in range(1, 11))


def settings(**changed):
    numbers = dict.fromkeys(Settings.__dataclass_fields__, 1)
    return Settings(
        **numbers | {"name": "adamw", "betas": (0.9, 0.95), "reference_compatible": False} | changed
    )


@pytest.mark.parametrize(("warmup", "judged"), [(0, 3), (4, 2), (7.5, 2), (10, 0)])
def test_checks_of_the_warm_up_are_not_judged(warmup, judged):
    assert health(every=4).judged(settings(epochs=10, warmup_epochs=warmup)) == judged


def watch(tmp_path):
    check = HealthCheck.__new__(HealthCheck)  # its images are not looked at
    check.settings, check.probe = health(patience=2, collapse_below=0.02), probe()
    return Watch(check=check, settings=settings(), folder=RunFolder(tmp_path), mean=MEAN, std=STD)


def test_a_resumed_watch_knows_what_was_wrong_before(tmp_path):
    one, two = watch(tmp_path), watch(tmp_path)
    one.check.probe.follow(*clusters(), num_classes=3)
    judged(one.alarm, std=0.5, epoch=2)
    judged(one.alarm, std=0.0, epoch=4)
    torch.save(one.state_dict(), tmp_path / "state.pt")
    two.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert (two.alarm.bad_checks, two.alarm.last_good) == (1, 2)
    assert two.collapsed == one.collapsed
    assert two.collapsed.startswith("after epoch 4 the features' deviation is 0, below")
    assert two.check.probe.checks == 1
    judged(two.alarm, std=0.5, epoch=6)
    assert two.collapsed is None


def normalised(levels):
    """Grey levels 0 to 255 as the network sees them."""
    scale, shift = (torch.tensor(values)[:, None, None] for values in (STD, MEAN))
    return (levels / 255 - shift) / scale


def test_pictures_have_the_colours_of_the_slide_again():
    levels = torch.randint(0, 256, (2, 3, 4, 5)).float()
    shown = as_bytes(normalised(levels), mean=MEAN, std=STD)
    np.testing.assert_array_equal(shown, levels.permute(0, 2, 3, 1).numpy().astype(np.uint8))


def test_colours_beyond_black_and_white_are_cut_off():
    image = torch.full((1, 3, 1, 1), 100.0)
    assert as_bytes(image, mean=MEAN, std=STD).max() == 255
    assert as_bytes(-image, mean=MEAN, std=STD).max() == 0


def test_small_pictures_are_enlarged_without_new_colours():
    images = np.random.default_rng(0).integers(0, 256, (1, 8, 8, 3), dtype=np.uint8)
    large = enlarged(images)
    assert large.shape[1] >= 112
    factor = large.shape[1] // 8
    np.testing.assert_array_equal(large[:, ::factor, ::factor], images)


def test_a_sheet_shows_masked_predicted_and_true_side_by_side(tmp_path):
    levels = [torch.full((2, 3, 112, 112), level) for level in (10.0, 120.0, 250.0)]
    path = tmp_path / "figures" / "sheet.png"
    write_sheet(path, Pictures(*map(normalised, levels)), mean=MEAN, std=STD)
    sheet = np.asarray(Image.open(path))
    middle = sheet.shape[0] // 4
    shown = [int(sheet[middle, 4 + 56 + place * 116, 0]) for place in range(3)]
    assert shown == [10, 120, 250]


def test_a_grid_holds_every_image():
    images = normalised(torch.arange(5.0)[:, None, None, None].expand(5, 3, 6, 6) * 50)
    grid = np.asarray(image_grid(images, columns=2, mean=MEAN, std=STD))
    assert {int(value) for value in np.unique(grid[..., 0])} >= {0, 50, 100, 150, 200}


def test_looking_leaves_all_random_numbers_as_they_were():
    torch.manual_seed(3)
    np.random.seed(3)
    expected = torch.rand(3), np.random.rand(3)
    torch.manual_seed(3)
    np.random.seed(3)
    with undisturbed(torch.device("cpu")):
        torch.manual_seed(9)
        torch.rand(100)
        np.random.rand(100)
    assert torch.equal(torch.rand(3), expected[0])
    np.testing.assert_array_equal(np.random.rand(3), expected[1])


@pytest.mark.parametrize("bad", [0.02, 0.5])
def test_a_deviation_at_the_threshold_is_no_collapse(bad):
    assert judged(alarm(below=0.02), std=bad) is None
