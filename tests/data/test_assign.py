import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedGroupKFold

from mk11.data.assign import count_classes, deal, sole_owners, units_of

NAMES = st.lists(
    st.tuples(st.sampled_from(["", "p", "q", "r"]), st.sampled_from("stuvw")), min_size=1, max_size=12
)


def units_by_hand(groups, hashes):
    """Join images that share a known group or a hash, until nothing changes."""
    units = list(range(len(groups)))
    changed = True
    while changed:
        changed = False
        for i in range(len(units)):
            for j in range(i):
                tied = hashes[i] == hashes[j] or (groups[i] == groups[j] != "")
                if tied and units[i] != units[j]:
                    units = [units[j] if unit == units[i] else unit for unit in units]
                    changed = True
    return units


@given(NAMES)
def test_units_join_whatever_shares_a_group_or_a_content(pairs):
    groups, hashes = (np.array(column) for column in zip(*pairs, strict=True))
    units, expected = units_of(groups, hashes), units_by_hand(groups, hashes)
    for i in range(len(pairs)):
        assert [unit == units[i] for unit in units] == [unit == expected[i] for unit in expected]


def test_counts_are_of_images_per_unit_and_class():
    counts = count_classes(np.array([0, 1, 0, 0]), np.array([2, 0, 2, 1]))
    assert counts.tolist() == [[0, 1, 2], [1, 0, 0]]


def test_sole_owners_hold_a_class_alone():
    assert sole_owners(np.array([[1.0, 0, 2], [0, 3, 1], [4, 0, 0]])).tolist() == [1]
    assert sole_owners(np.array([[1.0, 1], [1, 1]])).tolist() == []


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 1000), st.lists(st.integers(10, 60), min_size=2, max_size=4))
def test_single_images_are_dealt_evenly_to_one_image(seed, sizes):
    counts = np.repeat(np.eye(len(sizes)), sizes, axis=0)
    part = deal(counts, np.full(5, 0.2), seed=(seed,))
    held = np.stack([counts[part == number].sum(0) for number in range(5)])
    assert (held.max(0) - held.min(0) <= 1).all()


def test_classes_of_very_uneven_patients_are_balanced_better_than_by_scikit_learn():
    generator = np.random.default_rng(0)
    size, mix = generator.gamma(1, 20, (70, 1)), generator.dirichlet(np.ones(11), 70)
    counts = generator.poisson(1 + size * mix)
    patients, labels = np.repeat(np.indices(counts.shape).reshape(2, -1), counts.ravel(), axis=1)
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=0).split(patients, labels, patients)
    theirs = np.stack([np.bincount(labels[test], minlength=11) for _, test in folds])
    part = deal(counts.astype(float), np.full(5, 0.2), seed=(0,))
    ours = np.stack([counts[part == fold].sum(0) for fold in range(5)])
    imbalance_of_theirs, of_ours = (((held / counts.sum(0) - 0.2) ** 2).sum() for held in (theirs, ours))
    assert of_ours < 0.5 * imbalance_of_theirs


def test_the_same_seed_deals_the_same_way_and_another_one_differently():
    counts = np.random.default_rng(1).integers(0, 9, (40, 3)).astype(float)
    first, again, other = (deal(counts, np.full(4, 0.25), seed=(seed,)) for seed in (3, 3, 4))
    assert first.tolist() == again.tolist() != other.tolist()
