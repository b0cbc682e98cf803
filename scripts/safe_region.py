"""Draw the numbers of scripts/sweep over two settings as a map: where is training safe?

    scripts/sweep --config mnist_cgan --max-time 240 \\
        --set objective.gamma=0.1,0.3,1,3 --set optimizer.learning_rate=5e-4,1e-3,2e-3,4e-3
    scripts/safe_region runs/sweep-240s/sweep.jsonl safe_region.png
"""

import argparse
import json
import math
import sys
from pathlib import Path
from statistics import fmean
from typing import Any

from PIL import Image, ImageDraw, ImageFont
from sweep_table import scores

from genctl.common.files import atomic_write
from genctl.config.config import flatten, load
from genctl.data.pictures import pil_to_tensor, png

GOOD, MIDDLE, BAD = (13, 103, 108), (244, 238, 220), (178, 58, 38)
INK, PALE, GREY = (38, 42, 48), (255, 255, 255), (222, 222, 222)
CELL_WIDTH, CELL_HEIGHT, GAP = 216, 152, 8
MIN_COLUMNS = 3  # that leave room for the title
MIN_SPAN = 4  # between the best and the worst colour
LEFT, TOP, RIGHT, BOTTOM = 150, 124, 60, 196  # margins around the cells

Colour = tuple[int, int, int]


class Map:
    """A grid of cells, the first setting to the right and the second upwards."""

    def __init__(self, records: list[dict[str, Any]], across: str, upwards: str) -> None:
        self.across, self.upwards = across, upwards
        self.config = records[0]["config"]
        self.preset = flatten(load(self.config).model_dump(mode="json"))
        self.cells: dict[tuple[float, float], list[dict[str, Any]]] = {}
        for record in records:
            place = (float(record["sets"][across]), float(record["sets"][upwards]))
            self.cells.setdefault(place, []).append(record)
        self.columns = sorted({x for x, _ in self.cells})
        self.rows = sorted({y for _, y in self.cells}, reverse=True)
        found = [mean(cell, "fid") for cell in self.cells.values() if measured(cell)]
        self.best = min(found, default=1.0)
        self.worst = max([*found, MIN_SPAN * self.best])  # small differences look small
        width = LEFT + max(len(self.columns), MIN_COLUMNS) * (CELL_WIDTH + GAP) + RIGHT
        height = TOP + len(self.rows) * (CELL_HEIGHT + GAP) + BOTTOM
        self.picture = Image.new("RGB", (width, height), PALE)
        self.brush = ImageDraw.Draw(self.picture)

    def draw(self) -> Image.Image:
        seeds = max(map(len, self.cells.values()))
        title = f"{Path(self.config).stem}: FID by {word(self.across)} and {word(self.upwards)}"
        self.write(LEFT, 34, title, 32, anchor="lm")
        self.write(LEFT, 78, f"mean of {seeds} seed{'s' * (seeds > 1)}; lower is better; "
                   "the preset is framed", 20, anchor="lm")  # fmt: skip
        for row, y in enumerate(self.rows):
            middle = TOP + row * (CELL_HEIGHT + GAP) + CELL_HEIGHT // 2
            self.write(LEFT - 18, middle, f"{y:g}", 24, anchor="rm")
            for column, x in enumerate(self.columns):
                self.cell(x, y, LEFT + column * (CELL_WIDTH + GAP), middle - CELL_HEIGHT // 2)
        below = TOP + len(self.rows) * (CELL_HEIGHT + GAP) + 20
        for column, x in enumerate(self.columns):
            middle = LEFT + column * (CELL_WIDTH + GAP) + CELL_WIDTH // 2
            self.write(middle, below, f"{x:g}", 24)
        across = LEFT + len(self.columns) * (CELL_WIDTH + GAP) // 2
        self.write(across, below + 40, word(self.across), 24)
        self.write_upwards(28, (TOP + below) // 2, word(self.upwards), 24)
        self.legend(LEFT, below + 88, across * 2 - LEFT * 2 - GAP)
        return self.picture

    def cell(self, x: float, y: float, left: int, top: int) -> None:
        seeds = self.cells.get((x, y), [])
        box = (left, top, left + CELL_WIDTH, top + CELL_HEIGHT)
        ground = self.colour(mean(seeds, "fid")) if measured(seeds) else GREY
        self.brush.rounded_rectangle(box, 12, ground)
        if self.preset.get(self.across) == x and self.preset.get(self.upwards) == y:
            self.brush.rounded_rectangle(box, 12, outline=INK, width=5)
        ink = PALE if brightness(ground) < 140 else INK
        middle = left + CELL_WIDTH // 2
        diverged = len(seeds) - len(measured(seeds))
        if not measured(seeds):
            self.write(middle, top + CELL_HEIGHT // 2, "diverged" if seeds else "not run", 24, ink)
            return
        self.write(middle, top + 38, f"{mean(seeds, 'fid'):#.3g}", 40, ink)
        lines = [f"{name} {mean(seeds, name):.3f}" for name in ("agreement", "coverage")
                 if name in scores(measured(seeds)[0])]  # fmt: skip
        lines += [f"{diverged} of {len(seeds)} diverged"] * (diverged > 0)
        for number, line in enumerate(lines):
            self.write(middle, top + 78 + 24 * number, line, 19, ink)

    def legend(self, left: int, top: int, width: int) -> None:
        """The colours from the best FID to the worst."""
        for step in range(width):
            fid = self.best * (self.worst / self.best) ** (step / width)
            self.brush.line((left + step, top, left + step, top + 18), self.colour(fid))
        for step in range(5):
            fid = self.best * (self.worst / self.best) ** (step / 4)
            anchor = "lm" if step == 0 else "rm" if step == 4 else "mm"
            self.write(left + width * step // 4, top + 36, f"{fid:#.3g}", 19, anchor=anchor)

    def colour(self, fid: float) -> Colour:
        """By the logarithm: from 0.1 to 0.2 is as far as from 1 to 2."""
        share = math.log(fid / self.best) / max(math.log(self.worst / self.best), 1e-9)
        (low, high), within = ((GOOD, MIDDLE), 2 * share) if share < 0.5 else (
            (MIDDLE, BAD), 2 * share - 1
        )  # fmt: skip
        red, green, blue = (round(a + (b - a) * within) for a, b in zip(low, high, strict=True))
        return red, green, blue

    def write(
        self, x: int, y: int, text: str, size: int, ink: Colour = INK, anchor: str = "mm"
    ) -> None:
        self.brush.text((x, y), text, ink, ImageFont.load_default(size), anchor)

    def write_upwards(self, x: int, y: int, text: str, size: int) -> None:
        font = ImageFont.load_default(size)
        strip = Image.new("RGB", (round(font.getlength(text)) + 8, 2 * size), PALE)
        ImageDraw.Draw(strip).text((strip.width // 2, size), text, INK, font, "mm")
        turned = strip.rotate(90, expand=True)
        self.picture.paste(turned, (x, y - turned.height // 2))


def measured(seeds: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [record for record in seeds if record["evaluation"]]


def mean(seeds: list[dict[str, Any]], name: str) -> float:
    return fmean(scores(record)[name] for record in measured(seeds))


def brightness(colour: Colour) -> float:
    return 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]


def word(key: str) -> str:
    return key.rpartition(".")[2].replace("_", " ")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("numbers", type=Path, help="the .jsonl of scripts/sweep")
    parser.add_argument("picture", type=Path, help="the .png to write")
    parser.add_argument("--across", default="optimizer.learning_rate", metavar="KEY")
    parser.add_argument("--upwards", default="objective.gamma", metavar="KEY")
    options = parser.parse_args()
    records = [json.loads(line) for line in options.numbers.read_text().splitlines()]
    axes = {options.across, options.upwards}
    if not records or any(not axes <= record["sets"].keys() for record in records):
        sys.exit(f"{options.numbers}: no sweep over {options.across} and {options.upwards}")
    if (
        len({(one["config"], *sorted(one["sets"].items() - pair(one, axes))) for one in records})
        > 1
    ):
        sys.exit(f"{options.numbers}: more than {' and '.join(sorted(axes))} differs between runs")
    picture = Map(records, options.across, options.upwards).draw()
    atomic_write(options.picture, png(pil_to_tensor(picture, 3)))
    print(options.picture)


def pair(record: dict[str, Any], axes: set[str]) -> set[tuple[str, str]]:
    return {(key, record["sets"][key]) for key in axes}


if __name__ == "__main__":
    main()
