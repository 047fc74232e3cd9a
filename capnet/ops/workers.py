"""Threads that each do whole pieces of work, products included.

A product on one thread, beside others on theirs, is as fast as one on all threads; no thread waits
for another between products, and the numbers are the same on any number of threads.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch
from threadpoolctl import threadpool_limits


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
