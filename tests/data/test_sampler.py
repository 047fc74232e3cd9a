from collections import Counter
from itertools import chain

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from capnet.data.sampler import Draw, epoch_batches, shard

steady = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine


@st.composite
def problems(draw):
    """Labels in any order (each with 1 to 20 images), P, K, seed, epoch."""
    counts = draw(st.lists(st.integers(1, 20), min_size=2, max_size=10))
    labels = draw(st.permutations([label for label, n in enumerate(counts) for _ in range(n)]))
    ids_per_batch = draw(st.integers(1, len(counts)))
    return labels, ids_per_batch, draw(st.integers(1, 8)), draw(st.integers(0, 99)), 3


def rows(batch, images_per_id):
    """Split a batch into the image indices of each of its people."""
    indices = [draw.index for draw in batch]
    return [indices[i : i + images_per_id] for i in range(0, len(indices), images_per_id)]


@steady
@given(problems())
def test_every_batch_holds_p_people_with_k_images_each_side_by_side(problem):
    labels, ids_per_batch, images_per_id, *_ = problem
    for batch in epoch_batches(*problem):
        people = [{labels[i] for i in row} for row in rows(batch, images_per_id)]
        assert len(batch) == ids_per_batch * images_per_id
        assert all(len(person) == 1 for person in people)
        assert len(set().union(*people)) == ids_per_batch


@steady
@given(problems())
def test_a_person_with_k_images_or_more_never_meets_one_twice_in_a_batch(problem):
    labels, _, images_per_id, *_ = problem
    sizes = Counter(labels)
    for row in chain.from_iterable(rows(batch, images_per_id) for batch in epoch_batches(*problem)):
        if sizes[labels[row[0]]] >= images_per_id:
            assert len(set(row)) == images_per_id


@steady
@given(problems())
def test_an_epoch_is_about_one_pass(problem):  # A23
    labels, ids_per_batch, images_per_id, *_ = problem
    drawn = Counter(draw.index for batch in epoch_batches(*problem) for draw in batch)
    short = set()
    for label, n in Counter(labels).items():
        images = [drawn[i] for i, other in enumerate(labels) if other == label]
        chunks, rest = divmod(sum(images), images_per_id)
        assert rest == 0
        assert chunks <= max(1, -(-n // images_per_id))
        if n >= images_per_id:
            assert max(images) <= 2
        if chunks < max(1, n // images_per_id):
            short.add(label)
    assert len(short) < ids_per_batch


@steady
@given(problems())
def test_seed_and_epoch_alone_decide(problem):
    assert epoch_batches(*problem) == epoch_batches(*problem)


def test_other_epochs_and_other_seeds_give_other_batches_and_augmentations():
    labels = np.repeat(np.arange(16), 12).tolist()
    epochs = [epoch_batches(labels, 4, 4, seed, epoch) for seed in (0, 1) for epoch in (0, 1)]
    seeds = [tuple(draw.seed for batch in epoch for draw in batch) for epoch in epochs]
    indices = [tuple(draw.index for batch in epoch for draw in batch) for epoch in epochs]
    assert len(set(indices)) == 4
    assert len(set(chain.from_iterable(seeds))) == sum(map(len, seeds))


def test_augmentation_seeds_depend_on_the_place_only():
    two = [
        [draw.seed for draw in epoch_batches(np.repeat(np.arange(n), 8).tolist(), 2, 4, 5, 6)[0]]
        for n in (4, 9)
    ]
    assert two[0] == two[1]


def test_global_random_state_is_neither_read_nor_moved():
    labels = np.repeat(np.arange(8), 9).tolist()
    state = np.random.get_state()[1].tolist()  # noqa: NPY002
    first = epoch_batches(labels, 2, 4, 0, 0)
    assert np.random.get_state()[1].tolist() == state  # noqa: NPY002
    np.random.seed(3)  # noqa: NPY002
    assert epoch_batches(labels, 2, 4, 0, 0) == first


def test_every_image_is_expected_once():
    # P = 1 uses every chunk, so the mean number of draws is 1 for people with K images or more.
    labels = [0] * 10 + [1] * 4 + [2] * 7
    epochs = 1000
    drawn = Counter(
        draw.index
        for epoch in range(epochs)
        for batch in epoch_batches(labels, 1, 4, 0, epoch)
        for draw in batch
    )
    # A count per epoch is 1 or 2 (0 or 1), so its deviation is at most 1/2: 5 sigma of the mean.
    assert all(abs(drawn[i] / epochs - 1) < 5 * 0.5 / epochs**0.5 for i in range(len(labels)))


def test_full_people_fill_the_epoch_almost_without_waste():
    batches = epoch_batches(np.repeat(np.arange(40), 32).tolist(), 4, 8, 1, 0)
    assert 38 <= len(batches) <= 40  # 1280 images in batches of 32


def test_a_person_with_few_images_is_drawn_with_replacement():
    (batch,) = epoch_batches([0, 1, 1, 1], 2, 8, 0, 0)
    assert Counter(draw.index == 0 for draw in batch) == {True: 8, False: 8}


@steady
@given(problems(), st.sampled_from([1, 2, 4]), st.integers(1, 3))
def test_shards_are_whole_people_and_together_the_batch(problem, world, times):  # A27
    labels, _, images_per_id, seed, epoch = problem
    ids_per_batch = world * times
    labels = labels + list(range(100, 100 + ids_per_batch))
    batches = epoch_batches(labels, ids_per_batch, images_per_id, seed, epoch)
    parts = [shard(batches, ids_per_batch, rank, world) for rank in range(world)]
    for batch, *slices in zip(batches, *parts, strict=True):
        assert list(chain.from_iterable(slices)) == batch
        people = [{labels[draw.index] for draw in own} for own in slices]
        assert [len(own) for own in people] == [times] * world
        assert len(set().union(*people)) == ids_per_batch


@pytest.mark.parametrize("world", [3, 8])
def test_processes_that_would_split_a_person_are_refused(world):
    batch = [Draw(i, i) for i in range(32)]
    with pytest.raises(ValueError, match=rf"train\.ids_per_batch is 4, which {world} processes"):
        shard([batch], 4, 0, world)


def test_too_few_people_for_a_batch_are_refused():
    with pytest.raises(ValueError, match=r"train\.ids_per_batch is 4 but there are 3 people"):
        epoch_batches([0, 0, 1, 1, 2, 2], 4, 2, 0, 0)
