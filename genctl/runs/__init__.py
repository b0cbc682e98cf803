"""The run directory: its files, lock, metrics and tables, and the model file."""
