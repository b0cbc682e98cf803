"""The games that the networks play; each kind in YAML is one of these files."""
