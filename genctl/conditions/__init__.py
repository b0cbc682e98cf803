"""What the generator gets besides noise; each kind in YAML is one of these files."""
