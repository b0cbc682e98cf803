"""What the generator is shown besides noise; each kind in YAML is one of these files."""
