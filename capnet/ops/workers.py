"""Threads that each do whole pieces of work, products included.

A product on one thread, beside others on theirs, is as fast as one on all threads; no thread waits
for another between products, and the numbers are the same on any number of threads.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property

import numpy as np
import torch
from numpy.typing import DTypeLike
from threadpoolctl import threadpool_limits

from capnet.ops.distance import Floats


class Room(threading.local):
    """Room for so many numbers in each thread, which it fills anew at every call."""

    def __init__(self, entries: int, dtype: DTypeLike) -> None:
        self._entries, self._dtype = entries, dtype

    @cached_property
    def _all(self) -> Floats:
        return np.empty(self._entries, dtype=self._dtype)

    def table(self, rows: int, columns: int) -> Floats:
        """Return an array (rows, columns) of anything, in the place of the thread's last one."""
        return self._all[: rows * columns].reshape(rows, columns)


@contextmanager
def workers() -> Iterator[ThreadPoolExecutor]:
    """Yield as many workers as torch has threads here; an error drops the work not yet begun."""
    threads = torch.get_num_threads()
    pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))
    try:
        with threadpool_limits(1, user_api="blas"):  # NumPy's products
            yield pool
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)  # of later threads too: the workers' is all threads' default
