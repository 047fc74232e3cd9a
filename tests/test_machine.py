"""The share of a machine's cores."""

import os

import pytest

from capnet.machine import cores_per_process


@pytest.mark.parametrize(
    ("granted", "processes", "share"), [(16, None, 16), (16, "4", 4), (2, "4", 1), (3, "2", 1)]
)
def test_granted_cores_are_shared_by_local_processes(monkeypatch, granted, processes, share):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(granted)), raising=False)
    if processes is None:
        monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    else:
        monkeypatch.setenv("LOCAL_WORLD_SIZE", processes)
    assert cores_per_process() == share


def test_without_affinity_all_cores_count(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert cores_per_process() == 6
