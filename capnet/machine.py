"""What of this machine one process may use."""

import os


def cores_per_process() -> int:
    """Return this process's share of the cores that it and its local companions may run on."""
    if hasattr(os, "sched_getaffinity"):  # what a container or a job's scheduler grants
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return max(1, cores // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
