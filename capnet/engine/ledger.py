"""The loss terms of an epoch's batches, read from the device one batch late: a GPU never waits."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from capnet.ops.collective import summed

Row = dict[str, float]


class NotFiniteError(Exception):
    """A batch (counted from 0 in its epoch) has terms that are not finite."""

    def __init__(self, batch: int, row: Row) -> None:
        self.batch, self.row = batch, row
        self.names = [name for name, value in row.items() if not math.isfinite(value)]
        super().__init__(f"batch {batch + 1}: {', '.join(self.names)} is not finite")


class Ledger:
    """Collects rows of terms; all processes read the same ones, at the same batch.

    rows: of the batches before, to which `add` and `read` append. `stop` turns true when a process
    was asked to stop, in all of them at the same batch.
    """

    def __init__(self, rows: list[Row]) -> None:
        self.rows = rows
        self.stop = False
        self._before = len(rows)
        self._names: list[str] = []
        self._sent: Tensor | None = None
        self._arrived: torch.cuda.Event | None = None

    def add(self, terms: dict[str, Tensor], stop: bool) -> None:
        """Take a batch's terms (scalars) and whether this process is asked to stop; then `read`.

        What is read are the terms of the batch before. Raises NotFiniteError.
        """
        values = torch.stack([term.detach().double() for term in terms.values()])
        asked = summed(values.new_full((1,), float(stop)))
        sent = torch.cat([values, asked]).to("cpu", non_blocking=True)
        arrived = None
        if values.is_cuda:
            arrived = torch.cuda.Event()  # type: ignore[no-untyped-call]
            arrived.record()
        self.read()
        self._names, self._sent, self._arrived = list(terms), sent, arrived

    def read(self) -> None:
        """Append the row that is on its way, if any; NotFiniteError if it cannot be trusted."""
        if self._sent is None:
            return
        if self._arrived is not None:
            self._arrived.synchronize()
        *values, asked = self._sent.tolist()
        self._sent = None
        row = dict(zip(self._names, values, strict=True))
        if not all(map(math.isfinite, values)):
            raise NotFiniteError(len(self.rows), row)
        self.rows.append(row)
        self.stop |= asked > 0

    @property
    def added(self) -> int:
        """Number of batches read since the ledger was opened."""
        return len(self.rows) - self._before

    def means(self) -> Row:
        """Return each term's mean over the batches."""
        names = self.rows[0]
        return {name: math.fsum(row[name] for row in self.rows) / len(self.rows) for name in names}
