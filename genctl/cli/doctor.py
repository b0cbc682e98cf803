"""genctl doctor: what is installed on this machine, and whether it computes correctly."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from genctl.cli import options
from genctl.cli.console import console, loading


def doctor(
    device: options.Device = "auto",
    json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Show versions, devices and data, and check the device.

    The check compares a convolution in the precision of training with one in double precision.
    """
    with console(json, quiet, debug) as out:
        with loading():
            from genctl.benchmark.doctor import examine
            from genctl.common.devices import choose_device
            from genctl.common.errors import Unavailable

        found = examine(choose_device(device))
        for line in _lines(found):
            out.info(line)
        if found["problems"]:
            error = Unavailable(
                f"--device {found['device']}: {found['problems'][0]}; use another device"
            )
            error.result = found
            raise error
        out.info("no problems found")
        out.result(found)


def _lines(found: dict[str, Any]) -> Iterator[str]:
    versions = found["versions"].items()
    yield "versions: " + ", ".join(f"{name} {version}" for name, version in versions if version)
    missing = [name for name, version in versions if not version]
    if missing:
        yield f"not installed: {', '.join(missing)}"
    busy = "; other processes are using the cores" if found["busy"] else ""
    yield f"{found['platform']}: {found['cores']} cores, {found['threads']} threads{busy}"
    threads = found["training_threads"]
    yield f"training.threads: auto is {threads['number']} on a CPU ({threads['reason']})"
    for entry in found["devices"]:
        chosen = " (chosen)" if entry["device"] == found["device"] else ""
        yield f"device {entry['device']}{chosen}: {entry['name']}"
        precision, reason = entry["precision"], entry["precision_reason"]
        yield f"  training.precision: auto is {precision}, since {reason}"
        yield f"  training.engine: auto is {entry['engine']}, since {entry['engine_reason']}"
        outcome = "correct" if entry["correct"] else "WRONG"
        yield (
            f"  self-check in {precision}: {outcome}, the relative error of a convolution "
            f"is {entry['relative_error']:.1e}"
        )
    for kind, folder in found["data"].items():
        yield f"data {kind}: {folder or 'not on this machine'}"
    judges = found["judges"]
    yield f"judges in {judges['folder']}: {len(judges['accuracy']) or 'none'}"
    for name, accuracy in judges["accuracy"].items():
        state = "damaged" if accuracy is None else f"test accuracy {accuracy:.2%}"
        yield f"  {name}: {state}"
    pictures = found["pictures"]
    used, limit = pictures["bytes"] / 2**20, pictures["limit"] / 2**20
    yield f"decoded pictures in {pictures['folder']}: {used:,.0f} of at most {limit:,.0f} MB"
