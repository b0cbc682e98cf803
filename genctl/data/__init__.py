"""Where images come from; each kind in YAML is a class in one of these files."""
