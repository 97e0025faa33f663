"""Random index tables, for whatever deals images out."""

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from mk11.data.index import Index


def cohort(seed, count=60, patients=12, twins=0):
    """Random index table: three classes of 6:3:1, `patients` groups (0 = unknown), `twins` contents twice."""
    generator = np.random.default_rng(seed)
    content = np.arange(count)
    content[:twins] = content[count - twins :]
    return pd.DataFrame(
        {
            "id": [f"{name:04d}.png" for name in generator.permutation(count)],
            "subtype": generator.choice(["x", "y", "z"], count, p=[0.6, 0.3, 0.1]),
            "group": [f"p{patient}" for patient in generator.integers(0, patients, count)]
            if patients
            else "",
            "content_hash": [f"{seed}-{number}" for number in content],
        }
    ).astype("str")


COHORTS = st.builds(
    cohort,
    seed=st.integers(0, 10_000),
    count=st.integers(40, 120),
    patients=st.sampled_from([0, 16, 30]),
    twins=st.integers(0, 3),
)


def index_of(images, published=None):
    """The index of such a table."""
    return Index(images, pd.DataFrame(index=images.index) if published is None else published, {})
