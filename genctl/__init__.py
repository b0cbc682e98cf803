"""Train an image generator from a YAML file, sample from it, and trust both.

    import genctl

    result = genctl.train("digits_cgan", max_time=60)
    model = genctl.load(result.path)
    images = model.sample(64, condition="digit.png", seed=0)  # (64, H, W, C) uint8

Importing genctl loads nothing else; the first use of a name loads what it needs.
"""

TYPE_CHECKING = False  # type checkers take it for true; importing typing would take 10 ms

__version__ = "0.1.0"

__all__ = [
    "BadContent",
    "CannotCreate",
    "ConfigError",
    "Diverged",
    "EvaluationResult",
    "GenctlError",
    "Interrupted",
    "LoadedModel",
    "Locked",
    "MissingInput",
    "OutOfMemory",
    "TrainResult",
    "Unavailable",
    "UsageError",
    "WriteFailed",
    "evaluate",
    "load",
    "train",
]

if TYPE_CHECKING:
    from genctl.api import EvaluationResult, TrainResult, evaluate, load, train
    from genctl.common.errors import (
        BadContent,
        CannotCreate,
        ConfigError,
        Diverged,
        GenctlError,
        Interrupted,
        Locked,
        MissingInput,
        OutOfMemory,
        Unavailable,
        UsageError,
        WriteFailed,
    )
    from genctl.inference.loaded_model import LoadedModel
else:

    def __getattr__(name):
        """Import what ``genctl.name`` is at its first use."""
        import importlib

        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        if name in ("load", "train", "evaluate", "TrainResult", "EvaluationResult"):
            module = "genctl.api"
        elif name == "LoadedModel":
            module = "genctl.inference.loaded_model"
        else:
            module = "genctl.common.errors"
        return getattr(importlib.import_module(module), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
