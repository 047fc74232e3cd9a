"""Settings of all tests."""

import os
from collections.abc import Iterator

import pytest
import torch
from hypothesis import settings

# Shared machines are slow at times: an example's duration is no fault of the code.
settings.register_profile("capnet", deadline=None, print_blob=True)
settings.load_profile("capnet")

# Where it is set, accelerate silences the root logger, and with it what tests listen to.
os.environ.pop("ACCELERATE_LOG_LEVEL", None)


@pytest.fixture(autouse=True)
def denormals() -> Iterator[None]:
    """Building a network flushes them for the whole process; other tests count on them."""
    yield
    torch.set_flush_denormal(False)
