"""What every room may use, and what uses no room: errors, settings, files, devices, signals."""
