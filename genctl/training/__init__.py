"""State, step, engines and loop."""
