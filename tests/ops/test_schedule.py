"""The learning rate of every epoch against the paper's numbers."""

import pytest

from capnet.ops.schedule import learning_rate
from tests import reference

PAPER = {"warmup_epochs": 10, "warmup_factor": 0.01, "decay_epochs": [30, 50], "decay_factor": 0.1}


def test_the_papers_schedule():
    for epoch in range(60):
        ours = learning_rate(epoch, base=3.5e-4, **PAPER)
        assert ours == pytest.approx(reference.learning_rate(epoch))


@pytest.mark.parametrize(
    ("epoch", "expected"),
    [(0, 3.5e-6), (5, 1.7675e-4), (10, 3.5e-4), (29, 3.5e-4), (30, 3.5e-5), (50, 3.5e-6)],
)
def test_numbers_that_the_paper_states(epoch, expected):
    assert learning_rate(epoch, base=3.5e-4, **PAPER) == pytest.approx(expected)


def test_no_warm_up():
    settings = {"warmup_epochs": 0, "warmup_factor": 0.01, "decay_epochs": [], "decay_factor": 0.1}
    assert learning_rate(0, base=1.0, **settings) == 1.0
