"""The published augmentation, with faster kernels under timm's own draws."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image
from timm.data.auto_augment import rand_augment_transform
from timm.data.random_erasing import RandomErasing
from torch import Tensor

from mk11.data.transforms.crop import RandomResizedCrop
from mk11.data.transforms.normalise import Normalise
from mk11.data.transforms.randaugment import on_arrays
from mk11.data.transforms.resize import FixedScale, ShortSide
from mk11.errors import UserError


class Paper:
    """Random resized crop, flip, RandAugment, normalise, random erasing: the published recipe.

    The objects of timm's `create_transform` make every draw, in its order, from the same global generators.
    What differs from running them, each tested against that factory:

    - the resize is torch's uint8 kernel: one grey level off in 0.28 % of the values (`bicubic`);
    - shear and translate are separable filters: within one grey level (`randaugment`);
    - posterize to 0 bits gives black, as older Pillow did, where Pillow 13 raises.

    The other operations, normalisation and erasing are equal bit for bit.

    Args:
        resize: gives the image size; must not be data.resize=fixed_scale.
        mean: of the network's input, red, green and blue in [0, 1].
        std: likewise.
        scale: smallest and largest share of the area that a crop covers.
        ratio: smallest and largest width / height of a crop.
        hflip: probability of a mirror image.
        auto_augment: timm's description of RandAugment.
        re_prob: probability of erasing a rectangle.
        re_mode: what it is filled with; `pixel`: normal noise.
        re_count: largest number of rectangles.

    Raises:
        UserError: with data.resize=fixed_scale.
    """

    def __init__(
        self,
        *,
        resize: ShortSide | FixedScale,
        mean: Sequence[float],
        std: Sequence[float],
        scale: Sequence[float],
        ratio: Sequence[float],
        hflip: float,
        auto_augment: str,
        re_prob: float,
        re_mode: str,
        re_count: int,
    ) -> None:
        if resize.keeps_scale:
            raise UserError(
                "augment=paper cannot go with data.resize=fixed_scale, which keeps micrometres: "
                f"its random resized crop zooms up to {min(scale) ** -0.5:.1f}x; use augment=scaled"
            )
        self.resize = resize
        self.normalise = Normalise(mean=mean, std=std)
        self.crop = RandomResizedCrop(size=resize.image_size, scale=scale, ratio=ratio, hflip=hflip)
        self.rand_augment = on_arrays(rand_augment_transform(auto_augment, _rand_augment_settings(mean)))
        self.erase = RandomErasing(re_prob, mode=re_mode, max_count=re_count, device="cpu")

    def __call__(
        self, image: UInt8[np.ndarray, "height width 3"], um_per_pixel: float
    ) -> Float[Tensor, "3 size size"]:
        """The network's input for one image, drawn anew at each call (all three global generators)."""
        return self.erase(self.normalise(self.rand_augment(self.crop(image))))


def _rand_augment_settings(mean: Sequence[float]) -> dict[str, object]:
    """What timm's factory hands to RandAugment: fill colour and interpolation of the moved pictures."""
    return {
        "img_mean": tuple(min(255, round(255 * level)) for level in mean),
        "interpolation": Image.Resampling.BICUBIC,
    }
