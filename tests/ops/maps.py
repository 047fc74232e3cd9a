"""Feature maps for the tests of the attention."""

import torch
from hypothesis import strategies as st

shapes = st.tuples(st.integers(1, 3), st.integers(1, 6), st.integers(1, 5), st.integers(1, 4))


def feature_map(shape: tuple[int, ...], seed: int) -> torch.Tensor:
    """Random features after a ReLU, some channels all zero."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(shape, generator=generator, dtype=torch.float64).clamp(min=0)
    return x * (torch.rand(shape[:2], generator=generator) > 0.2)[..., None, None]
