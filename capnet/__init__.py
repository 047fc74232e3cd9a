"""CAPNet: CAM-guided, parameter-free attention for person re-identification."""

__version__ = "0.1.0"
