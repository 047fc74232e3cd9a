"""The paper's six forms of attention (R18), by the names that variants use."""

from typing import Literal

Form = Literal["baseline", "s", "c", "s_then_c", "c_then_s", "s_times_c"]
