"""Plot the FID of a sweep over two settings as a map: where does training work?

    scripts/sweep --config mnist_cgan --max-time 240 \\
        --set objective.gamma=0.1,0.3,1,3 --set optimizer.learning_rate=5e-4,1e-3,2e-3,4e-3
    scripts/safe_region runs/sweep-240s/sweep.jsonl safe_region.png
"""

import argparse
import io
import json
import math
import sys
from pathlib import Path
from statistics import fmean

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from sweep_table import Record, evaluated, scores

from genctl.common.files import atomic_write
from genctl.config.config import flatten, load

MIN_COLOUR_RANGE = 4  # from the best FID to the end of the colours: small differences look small
COLOURS = colormaps["viridis"].with_extremes(bad="0.87")


def plot(records: list[Record], x_key: str, y_key: str) -> Figure:
    """A map of FID, the mean over seeds, with agreement and coverage written into each cell."""
    cells: dict[tuple[float, float], list[Record]] = {}
    for record in records:
        x, y = (float(record["settings"][key]) for key in (x_key, y_key))
        cells.setdefault((x, y), []).append(record)
    xs, ys = (sorted({place[axis] for place in cells}) for axis in (0, 1))
    fids = np.array([[_mean(cells.get((x, y), []), "fid") for x in xs] for y in ys])
    measured = fids[np.isfinite(fids)].tolist()
    best = min(measured, default=1.0)
    worst = max([*measured, MIN_COLOUR_RANGE * best])
    norm = LogNorm(best, worst)  # 0.1 to 0.2 is as far as 1 to 2

    figure = Figure(figsize=(2.5 + 1.8 * len(xs), 2.0 + 1.2 * len(ys)), layout="constrained")
    axes = figure.add_subplot()
    image = axes.imshow(fids, COLOURS, norm, origin="lower", aspect="auto")
    ticks = np.geomspace(best, worst, num=5)
    figure.colorbar(image, ax=axes, label="FID", ticks=ticks, format="%.2g").minorticks_off()
    axes.set_xticks(range(len(xs)), [f"{x:g}" for x in xs])
    axes.set_yticks(range(len(ys)), [f"{y:g}" for y in ys])
    axes.set_xlabel(x_key)
    axes.set_ylabel(y_key)
    config, seeds = records[0]["config"], max(map(len, cells.values()))
    axes.set_title(
        f"FID of {Path(config).stem}, mean of {seeds} seed{'s' * (seeds > 1)}\n"
        "lower is better; the config's own values are framed"
    )
    own = flatten(load(config).model_dump(mode="json"))
    for row, y in enumerate(ys):
        for column, x in enumerate(xs):
            dark = norm(fids[row, column]) < 0.5
            text = _text(cells.get((x, y), []))
            axes.text(
                column, row, text, ha="center", va="center", color="white" if dark else "black"
            )
            if (own.get(x_key), own.get(y_key)) == (x, y):
                _frame(axes, column, row)
    return figure


def _frame(axes: Axes, column: int, row: int) -> None:
    axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, linewidth=4))


def _text(seeds: list[Record]) -> str:
    """What is written into a cell."""
    done = evaluated(seeds)
    if not done:
        return "diverged" if seeds else "not run"
    lines = [f"{_mean(seeds, 'fid'):#.3g}"]
    lines += [f"{name} {_mean(seeds, name):.3f}" for name in ("agreement", "coverage")
              if name in scores(done[0])]  # fmt: skip
    if len(done) < len(seeds):
        lines.append(f"{len(seeds) - len(done)} of {len(seeds)} diverged")
    return "\n".join(lines)


def _mean(seeds: list[Record], name: str) -> float:
    """The mean of a score over the seeds that did not diverge; NaN if all did."""
    values = [scores(record)[name] for record in evaluated(seeds)]
    return fmean(values) if values else math.nan


def read(path: Path, x_key: str, y_key: str) -> list[Record]:
    """The records of a sweep in which nothing but the two settings and the seed differs."""
    records: list[Record] = [json.loads(line) for line in path.read_text().splitlines()]
    keys = {x_key, y_key}
    if not records or any(not keys <= record["settings"].keys() for record in records):
        sys.exit(f"{path}: not a sweep over {x_key} and {y_key}; name its settings by --x and --y")
    others = {
        (record["config"], *sorted((key, value) for key, value in record["settings"].items()
                                   if key not in keys))
        for record in records
    }  # fmt: skip
    if len(others) > 1:
        sys.exit(f"{path}: the runs differ in more than {x_key} and {y_key}; sweep these two only")
    return records


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", type=Path, help="the .jsonl file of scripts/sweep")
    parser.add_argument("image", type=Path, help="the .png file to write")
    parser.add_argument("--x", default="optimizer.learning_rate", metavar="KEY")
    parser.add_argument("--y", default="objective.gamma", metavar="KEY")
    options = parser.parse_args()
    figure = plot(read(options.results, options.x, options.y), options.x, options.y)
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=120)
    atomic_write(options.image, content.getvalue())
    print(options.image)


if __name__ == "__main__":
    main()
