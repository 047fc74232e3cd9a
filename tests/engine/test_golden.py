"""A change that is not about the computation gives the same numbers (see golden.py)."""

import pytest

from tests.engine.golden import FORMS, stored, three_steps

GOLDEN = stored()


@pytest.mark.parametrize("form", FORMS)
def test_three_steps_give_the_stored_numbers(form):
    numbers = three_steps(form)
    assert numbers.keys() == GOLDEN[form].keys()
    for name, values in numbers.items():
        assert values == pytest.approx(GOLDEN[form][name], rel=1e-4, abs=1e-9), name


def test_the_forms_differ():
    losses = [GOLDEN[form]["loss"][2] for form in FORMS]
    assert len({round(loss, 5) for loss in losses}) == len(FORMS)
