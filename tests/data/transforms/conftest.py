"""Stained-looking pictures with every kind of structure: even ground, blobs, edges and noise."""

import random

import cv2
import numpy as np
import pytest
import torch


def draw_cell(seed: int, height: int, width: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    image = np.full((height, width, 3), (228, 216, 224), np.uint8)
    middle = (width // 2, height // 2)
    cv2.circle(image, middle, min(height, width) // 3, (196, 160, 206), -1, cv2.LINE_AA)
    cv2.circle(image, middle, min(height, width) // 6, (92, 52, 140), -1, cv2.LINE_AA)
    noise = generator.normal(0, 6, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def seed_everything(seed: int) -> None:
    torch.manual_seed(seed)
    np.random.seed(seed)
    random.seed(seed)


def random_states() -> tuple:
    return tuple(torch.get_rng_state().tolist()), str(np.random.get_state()), random.getstate()


@pytest.fixture
def cell():
    return draw_cell


@pytest.fixture
def seed_all():
    return seed_everything


@pytest.fixture
def states():
    return random_states
