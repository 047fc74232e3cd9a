"""The learning rate as a pure function of the epoch."""

from collections.abc import Sequence


def learning_rate(
    epoch: int,
    *,
    base: float,
    warmup_epochs: int,
    warmup_factor: float,
    decay_epochs: Sequence[int],
    decay_factor: float,
) -> float:
    """Linear warm-up from `warmup_factor` times the base, then steps down (R24, A20).

    epoch counts from 0. The paper: 3.5e-6 at epoch 0, 3.5e-4 from 10, a tenth from 30 and from 50.
    """
    if epoch < warmup_epochs:
        done = epoch / warmup_epochs
        return base * (warmup_factor * (1 - done) + done)
    return base * decay_factor ** sum(epoch >= decay for decay in decay_epochs)
