"""How a step is executed; each way that `training.engine` names is one of these files."""
