"""Settings of all tests."""

import os

from hypothesis import settings

# Shared machines are slow at times: an example's duration is no fault of the code.
settings.register_profile("capnet", deadline=None, print_blob=True)
settings.load_profile("capnet")

# Where it is set, accelerate silences the root logger, and with it what tests listen to.
os.environ.pop("ACCELERATE_LOG_LEVEL", None)
