"""Settings of all tests."""

from hypothesis import settings

# Shared machines are slow at times: an example's duration is no fault of the code.
settings.register_profile("capnet", deadline=None, print_blob=True)
settings.load_profile("capnet")
