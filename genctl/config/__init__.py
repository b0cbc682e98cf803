"""From YAML and ``--set`` to one frozen ``Config``."""
