"""Light augmentation: the square's eight symmetries and a little colour."""

import numpy as np

from mk11.data.transforms.light import Light, turn_and_flip
from mk11.data.transforms.plain import Plain
from mk11.data.transforms.resize import resize_policy

NO_COLOUR = {"brightness": 0.0, "contrast": 0.0, "saturation": 0.0}
UNIT = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}


def policy(name="fixed_scale"):
    return resize_policy(name=name, image_size=12, target_um_per_pixel=0.25)


def test_exactly_the_eight_symmetries_of_a_square_come_up(cell, seed_all):
    seed_all(0)
    image = cell(0, 12, 12)
    light = Light(resize=policy(), **UNIT, **NO_COLOUR)
    seen = {light(image, 0.25).mul(255).round().byte().permute(1, 2, 0).numpy().tobytes() for _ in range(200)}
    turned = {np.rot90(side, k).tobytes() for side in (image, image[:, ::-1]) for k in range(4)}
    assert seen == turned
    assert len(turned) == 8


def test_a_quarter_turn_is_counter_clockwise_and_the_mirror_comes_after():
    image = np.zeros((4, 4, 3), np.uint8)
    image[0, 3] = 255  # top right
    assert turn_and_flip(image, 1, False)[0, 0, 0] == 255
    assert turn_and_flip(image, 1, True)[0, 3, 0] == 255


def test_colour_changes_but_little(cell, seed_all):
    seed_all(0)
    image = cell(0, 40, 40)
    strong = Light(resize=policy("short_side"), **UNIT, brightness=0.1, contrast=0.1, saturation=0.1)
    plain = Plain(resize=policy("short_side"), **UNIT)(image, float("nan"))
    differences = [abs(strong(image, float("nan")).mean() - plain.mean()).item() for _ in range(50)]
    assert 0 < max(differences) < 0.11
