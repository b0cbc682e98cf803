"""Measures of pen strokes, and captions that say what they are."""
