"""Families of networks; each kind in YAML is one of these files."""
