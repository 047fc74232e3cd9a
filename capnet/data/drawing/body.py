"""The jointed body of a drawn person: a pose in three dimensions, projected on the picture.

Body coordinates are per cent of the stature: x to the person's left, y down from the crown (0) to
the sole (100), z ahead.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from capnet.data.drawing.canvas import Canvas, Point, fabric
from capnet.data.drawing.person import Person, between, pick

Gesture = Literal["hang", "phone", "pocket"]
Joint = tuple[float, float, float]
Section = tuple[float, float, float]  # y, half-width, half-depth

GESTURES: tuple[Gesture, ...] = ("hang", "hang", "hang", "hang", "pocket", "phone")
REACH: dict[Gesture, tuple[Joint, Joint]] = {  # elbow and wrist of the left arm
    "hang": ((0.6, 36.0, -0.8), (0.9, 50.0, 1.5)),
    "pocket": ((3.4, 36.0, -2.0), (-0.4, 47.0, 2.5)),
    "phone": ((1.2, 33.0, 3.5), (-4.5, 19.0, 8.0)),
}


@dataclass(frozen=True, slots=True)
class Pose:
    """What changes from image to image; angles in degrees. Yaw 0 faces the viewer."""

    yaw: int
    stride: float
    phase: int
    arms: tuple[Gesture, Gesture]


@dataclass(frozen=True, slots=True)
class Stand:
    """Where a figure stands on the picture: soles and stature in pixels, the view's tilt."""

    x: int
    y: int
    stature: int
    tilt: float


def strike(rng: np.random.Generator) -> Pose:
    """Draw a pose: seen from the front, the back or a side, standing or in mid-stride."""
    return Pose(
        yaw=int(rng.integers(4)) * 90 + int(rng.integers(-40, 41)),
        stride=0.0 if rng.random() < 0.2 else between(rng, 0.4, 1.0),
        phase=int(rng.integers(360)),
        arms=(pick(rng, GESTURES), pick(rng, GESTURES)),
    )


class Body:
    """A person in a pose on a canvas: joints, their projection, and the fabrics worn."""

    def __init__(self, canvas: Canvas, person: Person, pose: Pose, stand: Stand) -> None:
        self.canvas, self.person, self.pose, self.stand = canvas, person, pose, stand
        self.unit = stand.stature / 100
        self.cos = math.cos(math.radians(pose.yaw))
        self.sin = math.sin(math.radians(pose.yaw))
        self.upper = fabric(person.upper, canvas.picture.size, self.at(0, 19), self.unit)
        self.lower = fabric(person.lower, canvas.picture.size, self.at(0, 50), self.unit)

    def near(self, x: float, z: float) -> float:
        """Return how near the viewer a point is, in per cent of the stature."""
        return z * self.cos - x * self.sin

    def at(self, x: float, y: float, z: float = 0.0) -> Point:
        """Project a point: turned by the yaw, seen from above by the tilt."""
        tilt = self.stand.tilt
        across = (x * self.cos + z * self.sin) * (1 + tilt * (50 - y) / 100)
        down = (y - 100) * (1 - 0.25 * tilt) + 0.5 * tilt * self.near(x, z)
        return round(self.stand.x + self.unit * across), round(self.stand.y + self.unit * down)

    def half(self, lateral: float, depth: float) -> float:
        """Return the half-width in pixels of an elliptic section."""
        return self.unit * math.sqrt((lateral * self.cos) ** 2 + (depth * self.sin) ** 2)

    def outline(self, *sections: Section) -> list[Point]:
        """Return the silhouette of a trunk made of elliptic sections, top to bottom."""
        left, right = [], []
        for y, lateral, depth in sections:
            x, down = self.at(0, y)
            half = round(self.half(lateral, depth))
            left.append((x - half, down))
            right.append((x + half, down))
        return left + right[::-1]

    def leg(self, side: int) -> tuple[Joint, Joint, Joint]:
        """Return hip, knee and ankle of the left (1) or right (-1) leg."""
        p, stride = self.person, self.pose.stride
        swing = 0.42 * side * stride * math.sin(math.radians(self.pose.phase))
        bend = swing - (0.5 * stride if swing < -0.05 else 0.08)
        length = (96.5 - p.hip_height) / 2
        x = side * p.hip * 0.5
        hip = (x, p.hip_height, 0.0)
        knee = (x, hip[1] + length * math.cos(swing), length * math.sin(swing))
        ankle = (x, knee[1] + length * math.cos(bend), knee[2] + length * math.sin(bend))
        return hip, knee, ankle

    def arm(self, side: int) -> tuple[Joint, Joint, Joint]:
        """Return shoulder, elbow and wrist of the left (1) or right (-1) arm."""
        shoulder = self.person.shoulder
        gesture = self.pose.arms[side > 0]
        swing = -side * self.pose.stride * math.sin(math.radians(self.pose.phase))
        if gesture != "hang":
            swing = 0.0
        elbow, wrist = (
            (side * (shoulder * 0.9 + x), y, z + pull * swing)
            for (x, y, z), pull in zip(REACH[gesture], (5.0, 11.0), strict=True)
        )
        return (side * shoulder * 0.86, 20.5, 0.0), elbow, wrist
