"""One line style per variant, the same in every figure: colour by form, dashes by control."""

from __future__ import annotations

from dataclasses import dataclass

from capnet.config import Config

# Okabe and Ito's colours, which colour-blind readers can tell apart, on light and dark ground.
COLOURS = {
    "baseline": "#8a8a8a",
    "s": "#56b4e9",
    "c": "#009e73",
    "s_then_c": "#e69f00",
    "c_then_s": "#cc79a7",
    "s_times_c": "#d55e00",
}
DASHES = ((), (4.0, 1.6), (1.2, 1.4), (6.0, 1.5, 1.2, 1.5))  # on and off, in line widths


@dataclass(frozen=True)
class Stroke:
    """How a variant's line is drawn."""

    colour: str
    dashes: tuple[float, ...]


def strokes(config: Config) -> dict[str, Stroke]:
    """Return the stroke of every variant of the grid.

    The paper's six are solid; a control has the colour of its form and dashes of its own.
    """
    chosen: dict[str, Stroke] = {}
    for variant in config.grid.variants:
        form = config.variants[variant].form
        alike = sum(stroke.colour == COLOURS[form] for stroke in chosen.values())
        place = 0 if variant == form else 1 + (alike - (form in chosen)) % (len(DASHES) - 1)
        chosen[variant] = Stroke(COLOURS[form], DASHES[place])
    return chosen
