"""How a step is executed: one file for each value of ``training.engine``."""
