"""What is measured of strokes; without torch, since settings are read without it."""

MEASURES = ("thickness", "slant", "width", "size")
"""Thickness, width and size in pixels, slant in degrees."""

THIRDS = 3
"""Each measure is told as one of three parts, into which it divides the training pictures."""
