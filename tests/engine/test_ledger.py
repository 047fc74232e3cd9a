"""A ledger is exact, never waits for the batch at hand, and tells a bad batch."""

import math

import pytest
import torch

from capnet.engine.ledger import Ledger, NotFiniteError


def terms(loss, accuracy=0.5):
    """What an objective returns: scalars, some of which carry gradients."""
    return {"loss": torch.tensor(loss, requires_grad=True), "accuracy": torch.tensor(accuracy)}


def test_a_batch_is_read_when_the_next_one_comes():
    rows = []
    ledger = Ledger(rows)
    ledger.add(terms(2.0), stop=False)
    assert rows == []
    ledger.add(terms(1.0), stop=False)
    assert rows == [{"loss": 2.0, "accuracy": 0.5}]
    ledger.read()
    ledger.read()
    assert [row["loss"] for row in rows] == [2.0, 1.0]
    assert not ledger.stop


def test_values_keep_every_digit():
    value = 1 / 3
    ledger = Ledger([])
    for dtype in (torch.float32, torch.float64):
        ledger.add({"loss": torch.tensor(value, dtype=dtype)}, stop=False)
    ledger.read()
    assert [row["loss"] for row in ledger.rows] == [torch.tensor(value).item(), value]


def test_the_means_are_those_of_all_batches_before_and_after():
    ledger = Ledger([{"loss": 4.0, "accuracy": 0.0}])
    for value in (1.0, 2.0):
        ledger.add(terms(value, accuracy=1.0), stop=False)
    ledger.read()
    assert ledger.added == 2
    assert ledger.means() == {"loss": 7 / 3, "accuracy": 2 / 3}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_names_its_batch_and_its_term(value):
    ledger = Ledger([{"loss": 1.0, "accuracy": 0.5}] * 3)
    ledger.add(terms(value), stop=False)
    with pytest.raises(NotFiniteError, match="batch 4: loss is not finite") as error:
        ledger.add(terms(1.0), stop=False)
    assert (error.value.batch, error.value.row["accuracy"]) == (3, 0.5)
    assert len(ledger.rows) == 3


def test_a_request_to_stop_is_known_with_its_batch():
    ledger = Ledger([])
    ledger.add(terms(1.0), stop=True)
    assert not ledger.stop
    ledger.add(terms(1.0), stop=False)
    assert ledger.stop
