"""Workers compute on one thread each, and leave the process as it was."""

import threading
import time

import pytest
import torch
from threadpoolctl import threadpool_info

from capnet.ops.workers import workers
from tests.ops.cases import on_threads


def threads_of_a_new_thread():
    found = []
    thread = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    return found[0]


def threads_of_numpy():
    return [
        library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"
    ]


def test_as_many_workers_as_threads_and_each_has_one():
    together = threading.Barrier(3, timeout=60)

    def work(_):
        together.wait()  # three at once
        return threading.get_ident(), torch.get_num_threads(), *threads_of_numpy()

    before = threads_of_numpy()
    with on_threads(3):
        with workers() as pool:
            found = list(pool.map(work, range(3)))
        assert len({name for name, *_ in found}) == 3
        assert {number for _, *threads in found for number in threads} == {1}
        assert threads_of_numpy() == before
        assert torch.get_num_threads() == 3
        assert threads_of_a_new_thread() == 3


def test_an_error_drops_the_work_that_has_not_begun():
    begun = []

    def work(number):
        begun.append(number)
        time.sleep(0.05)

    def give_up():
        with workers() as pool:
            for number in range(500):
                pool.submit(work, number)
            raise KeyboardInterrupt

    with on_threads(2):
        with pytest.raises(KeyboardInterrupt):
            give_up()
        seen = len(begun)
        assert seen < 250
        time.sleep(0.2)
        assert len(begun) == seen
        assert torch.get_num_threads() == 2
        assert threads_of_a_new_thread() == 2
