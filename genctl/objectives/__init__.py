"""What the networks are trained to do; each kind in YAML is one of these files."""
