"""genctl doctor: what there is on this machine, and whether it can be relied on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from genctl.cli import options
from genctl.cli.console import console


def doctor(
    device: options.Device = "auto",
    json: options.Json = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Show versions, devices, data and judges, and check that the arithmetic is right."""
    with console(json, quiet, debug) as out:
        from genctl.benchmark import doctor as diagnosis
        from genctl.common.devices import choose_device
        from genctl.common.errors import Unavailable

        found = diagnosis.examine(choose_device(device))
        for line in _lines(found):
            out.info(line)
        if found["problems"]:
            error = Unavailable(f"--device {found['device']}: {found['problems'][0]}; use another")
            error.result = found
            raise error
        out.info("all is well")
        out.result(found)


def _lines(found: dict[str, Any]) -> Iterator[str]:
    known = found["versions"].items()
    yield "versions: " + ", ".join(f"{name} {version}" for name, version in known if version)
    absent = [name for name, version in known if not version]
    if absent:
        yield f"not installed: {', '.join(absent)}"
    busy = "; other processes compete for the cores" if found["busy"] else ""
    yield f"{found['platform']}: {found['cores']} cores, {found['threads']} threads{busy}"
    for entry in found["devices"]:
        mark = " (chosen)" if entry["device"] == found["device"] else ""
        yield f"device {entry['device']}{mark}: {entry['name']}"
        yield (
            f"  training.precision auto is {entry['precision']}: {entry['why']}; a convolution is "
            f"off by {entry['deviation']:.1e}, which is {'fine' if entry['right'] else 'wrong'}"
        )
        yield f"  training.engine auto is {entry['engine']}: {entry['why_engine']}"
    for kind, place in found["data"].items():
        yield f"data {kind}: {place or 'not here'}"
    judges = found["judges"]
    yield f"judges in {judges['folder']}: {len(judges['accuracy']) or 'none'}"
    for name, accuracy in judges["accuracy"].items():
        right = "damaged" if accuracy is None else f"names {accuracy:.2%} of held-out images"
        yield f"  {name}: {right}"
