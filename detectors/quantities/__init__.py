"""Quantities in text: what is measured, how much, and what the words around it say.  Start at `reading.extract`."""

from .quantity import Quantity, Unit
from .reading import extract

__all__ = ["Quantity", "Unit", "extract"]
