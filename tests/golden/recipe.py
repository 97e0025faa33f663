"""Numbers of the four reference implementations, and the weights and inputs they were computed from.

Only results are stored (``*.npz``) with the names and shapes of the published models (``*_manifest.json``).
Weights and inputs are pseudo-random functions of a tensor's name and shape, drawn here again; fixed tables
are computed in NumPy, apart from the package's own way. The numbers come from tiny models, run with torch
2.15.0 on a CPU in float32, of facebookresearch/mae @ efb2a80, Alpha-VL/ConvMAE @ 4c97b4c, Sense-X/MixMIM @
2b2f5a9 and facebookresearch/moco-v3 @ c349e6e.

    golden = Golden("mae")
    network.load_state_dict({our_name(name, "mae"): value for name, value in golden.state().items()})
    assert golden.check("latent", latent) <= 1        # largest difference in units of the tolerance
"""

import itertools
import json
import math
import re
import zlib
from pathlib import Path

import numpy as np
import torch
from golden.difference import Compared, largest_difference

FOLDER = Path(__file__).parent
METHODS = ("mae", "convmae", "mixmim", "mocov3")
TABLES = ("pos_embed", "decoder_pos_embed", "absolute_pos_embed")
LOW_VARIANCE = np.float32(0.05)

RECORDS: list[Compared] = []  # of this session: what table.py prints


class Golden:
    """The stored numbers of one method, and the recipe for its weights and inputs."""

    def __init__(self, method):
        self.method = method
        with np.load(FOLDER / f"{method}.npz") as stored:
            self.values = {name: stored[name] for name in stored.files if name != "meta"}
            self.meta = json.loads(bytes(stored["meta"]))
        self.config = self.meta["config"]
        self.manifest = json.loads((FOLDER / f"{method}_manifest.json").read_text())

    @property
    def arrays(self):
        """Every quantity to compare, by name: parametrise a test over them, so that none is forgotten."""
        return [name for name in self.meta["arrays"] if not name.endswith("epoch")]  # those are inputs

    def keys(self, kind="model"):
        """{official name: shape} of the tiny model; MoCo v3 has kinds vit, resnet and convstem."""
        return expanded(self.meta["tiny_keys"][kind])

    def size(self, name):
        """{official name: shape} of a published size."""
        return expanded(self.manifest["sizes"][name]["keys"])

    def counts(self, name):
        """Numbers of parameters, buffers and keys of a published size."""
        return self.manifest["sizes"][name]["counts"]

    def generated(self, kind="model"):
        """The drawn entries of the tiny model's state dict, as NumPy arrays under official names."""
        shapes = self.keys(kind)
        return {name: drawn(name, shape) for name, shape in shapes.items() if not is_closed_form(name)}

    def state(self, kind="model"):
        """The whole state dict of the tiny model under official names: drawn entries and fixed tables."""
        shapes = {name: shape for name, shape in self.keys(kind).items() if is_closed_form(name)}
        fixed = {name: closed_form(name, shape, self.method) for name, shape in shapes.items()}
        return {name: torch.tensor(value) for name, value in (self.generated(kind) | fixed).items()}

    def entry(self, name, shape):
        """One drawn entry, such as ``head.weight`` of a fine-tuning model."""
        return torch.tensor(drawn(name, shape))

    def images(self, name):
        """The images ``imgs``, ``imgs_resized`` (MAE, MixMIM), ``x1`` or ``x2`` (MoCo v3)."""
        side = self.config["resized" if name == "imgs_resized" else "img_size"]
        return torch.tensor(images(name, (self.config["batch"], 3, side, side)))

    def noise(self):
        """The masks' noise: (batch, patches); one image's for MixMIM, (1, patches)."""
        shape = (1, 1, 49) if self.method == "mixmim" else tuple(self.meta["arrays"]["mask"]["shape"])
        return torch.tensor(generator("noise").random(size=shape).astype(np.float32)).reshape(-1, shape[-1])

    def difference(self, array, value):
        """The largest difference of ``value``, a whole tensor, from the stored numbers."""
        return largest_difference(self, array, value, probe=lambda size: normal(f"probe:{array}", size))

    def check(self, array, value):
        """Largest difference in units of the tolerance, entered into the session's table; 1 is the limit."""
        compared = self.difference(array, value)
        RECORDS.append(compared)
        return compared.ratio


def generator(name):
    """The random numbers that belong to a name."""
    return np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))


def normal(name, shape):
    """Standard normal numbers in float64."""
    return generator(name).standard_normal(size=shape)


def drawn(name, shape):
    """A state dict's entry in float32: the value depends on its name's ending and its dimensions."""
    last = name.rsplit(".", 1)[-1]
    z = normal(name, shape)
    if last == "running_mean":
        value = 0.05 * z
    elif last == "running_var":
        value = 1 + 0.1 * np.abs(z)
    elif last in ("cls_token", "mask_token", "relative_position_bias_table"):
        value = 0.02 * z
    elif len(shape) > 1:
        value = z / math.sqrt(math.prod(shape[1:]))
    else:
        value = 1 + 0.1 * z if last == "weight" else 0.05 * z
    return value.astype(np.float32)


def images(name, shape):
    """Smooth blocks of 8 x 8 pixels under noise; the first patches are flat and nearly flat ("imgs...")."""
    batch, channels, height, width = shape
    low = normal(f"{name}.lo", (batch, channels, height // 8, width // 8))
    high = normal(f"{name}.hi", shape)
    picture = 0.8 * low.repeat(8, axis=2).repeat(8, axis=3) + 0.3 * high
    if name.startswith("imgs"):
        picture[0, :, :32, :16] = 0.25
        picture[0, :, :32, 16:32] = 0.25 + 0.001 * high[0, :, :32, 16:32]
    return picture.astype(np.float32)


def low_variance(state):
    """A complete state whose activations are small, so that a LayerNorm's epsilon shows."""
    return {
        name: value if _keeps_size(name, value) else value * LOW_VARIANCE for name, value in state.items()
    }


def our_name(name, method):
    """The name that a pre-training file's tensor has in our method."""
    if method == "mocov3":
        name = re.sub(r"^base_encoder\.(head|fc)\.", "projector.", name)
        name = re.sub(r"^momentum_encoder\.(head|fc)\.", "momentum_projector.", name)
        return re.sub(r"^base_encoder\.", "encoder.", name)
    if name.startswith(("stage1_output_decode", "stage2_output_decode")):
        return name
    if name == "mask_token" or name.startswith("decoder_"):
        return "decoder." + name.removeprefix("decoder_").replace("pred.", "predict.")
    return "encoder." + name


def expanded(patterns):
    """{name: shape} of {pattern: shape}: {0-11} counts, {a,b} lists, several braces multiply."""
    return {name: tuple(shape) for pattern, shape in patterns.items() for name in names_of(pattern)}


def names_of(pattern):
    """The names that one pattern stands for."""
    parts = re.split(r"\{([^}]*)\}", pattern)  # text, choices, text, choices, ..., text
    choices = [_choices(part) if place % 2 else [part] for place, part in enumerate(parts)]
    return ["".join(choice) for choice in itertools.product(*choices)]


def is_closed_form(name):
    """Whether an entry is a table or a counter, not drawn."""
    last = name.rsplit(".", 1)[-1]
    return last in (*TABLES, "relative_position_index", "num_batches_tracked")


def closed_form(name, shape, method):
    """Position tables, window indices and counters as their method defines them."""
    if name.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    if name.endswith("relative_position_index"):
        return relative_index(math.isqrt(shape[0]))
    side = math.isqrt(shape[1])
    table = sincos(shape[2], side, row_first=method == "mocov3")
    return np.concatenate([np.zeros((shape[1] - side**2, shape[2])), table])[None].astype(np.float32)


def sincos(dim, side, *, row_first):
    """(side^2, dim): sines and cosines of column and row, in float64."""
    frequency = 10_000.0 ** (-np.arange(dim // 4) / (dim / 4))
    row, column = np.divmod(np.arange(side**2), side)
    angles = [np.outer(place, frequency) for place in ((row, column) if row_first else (column, row))]
    return np.concatenate([wave(angle) for angle in angles for wave in (np.sin, np.cos)], axis=1)


def relative_index(window):
    """(window^2, window^2): the row of the bias table for every pair of places."""
    row, column = np.divmod(np.arange(window**2), window)
    down, right = row[:, None] - row + window - 1, column[:, None] - column + window - 1
    return down * (2 * window - 1) + right


def _keeps_size(name, value):
    last = name.rsplit(".", 1)[-1]
    gain = value.ndim == 1 and last == "weight"
    return gain or last in ("running_mean", "running_var") or not value.is_floating_point()


def _choices(part):
    counted = re.fullmatch(r"(\d+)-(\d+)", part)
    if counted:
        return [str(number) for number in range(int(counted[1]), int(counted[2]) + 1)]
    return part.split(",")
