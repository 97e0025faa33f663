"""Whether features are spread out or have collapsed: two measures that need no labels."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

RANKME_EPSILON = 1e-7  # RankMe's own, for features in float32
ROWS_AT_ONCE = 4096  # that are copied to float64 together


def feature_std(features: Float[Tensor, "images dim"]) -> Float[Tensor, ""]:
    """Deviation of l2-normalised features over images, mean over channels, x sqrt(dim) (SimSiam, sec. 4.1).

    1 = spread evenly over the sphere, 0 = collapsed: every image has the same direction. It cannot exceed 1,
    as the channels' variances sum to 1 - |mean direction|^2. Two things it does not say: features with a
    direction in common stay below 1 without being bad (about 0.8 for noise after a ReLU), so watch its course
    rather than its height; and features that are spread along one line score high, which `rankme` tells.
    """
    directions = F.normalize(features.float(), dim=1)
    return directions.std(dim=0, correction=0).mean() * features.shape[1] ** 0.5


def rankme(features: Float[Tensor, "images dim"]) -> Float[Tensor, ""]:
    """Effective rank of the feature matrix (RankMe, Garrido et al. 2023, eq. 1 and 2).

    With singular values s_k, k = 1 ... min(images, dim):  p_k = s_k / sum(s) + 1e-7,
    RankMe = exp(-sum p_k log p_k): from 1 (one direction) to min(images, dim) (all equally strong). Features
    are not centred, as in the paper. It grows with the number of images: compare values of equally many.
    """
    spectrum = _singular_values(features)  # (min(images, dim),)
    share = spectrum / spectrum.sum().clamp_min(torch.finfo(spectrum.dtype).tiny) + RANKME_EPSILON
    return torch.exp(-(share * share.log()).sum()).float()


def _singular_values(features: Float[Tensor, "images dim"]) -> Float[Tensor, " smaller"]:
    """By the eigenvalues of the smaller Gram matrix: two to six times as fast as a decomposition of all rows.

    Squaring costs half of the digits: in float64 what is left is the precision of float32 features.
    """
    images, dim = features.shape
    if images < dim:
        gram = features.double() @ features.double().T  # (images, images)
    else:
        gram = features.new_zeros(dim, dim, dtype=torch.float64)
        for rows in features.split(ROWS_AT_ONCE):
            gram += rows.double().T @ rows.double()  # (dim, dim)
    return torch.linalg.eigvalsh(gram).clamp_min(0).sqrt()
