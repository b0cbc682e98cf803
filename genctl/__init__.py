"""Train an image generator from a YAML file, sample from it, and trust both."""

__version__ = "0.1.0"
