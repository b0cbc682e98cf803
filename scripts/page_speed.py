"""Measure how soon a page of `genctl export --page` answers a stroke, in Chromium without a window.

    python scripts/page_speed.py digits.html

From the event that ends a stroke to twelve new images: framing, encoding, generating, showing.
"""

import argparse
import math
import statistics
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.support.browser import chromium

WARM_UP = 5  # strokes, until the browser has compiled the loops
LISTEN = """() => {
  window.milliseconds = [];
  document.getElementById("pad").addEventListener("pointerup", async (event) => {
    await genctl.settled();
    window.milliseconds.push(performance.now() - event.timeStamp);
  });
}"""


def measure(path: Path, strokes: int) -> list[float]:
    """Milliseconds from the end of each stroke to its images."""
    with chromium() as browser:
        page = browser.new_page()
        page.goto(path.resolve().as_uri())
        page.evaluate("genctl.settled()")
        page.evaluate(LISTEN)
        box = page.locator("#pad").bounding_box()
        assert box is not None
        for number in range(WARM_UP + strokes):
            page.locator("#clear").click(force=True)
            angle = number / 7
            for step in range(12):
                x = box["x"] + box["width"] * (0.5 + 0.3 * math.cos(angle + step / 3))
                y = box["y"] + box["height"] * (0.5 + 0.3 * math.sin(angle + step / 4))
                page.mouse.move(x, y)
                if step == 0:
                    page.mouse.down()
            page.mouse.up()
            page.evaluate("genctl.settled()")
            page.wait_for_timeout(300)  # for what it computes while idle
        milliseconds: list[float] = page.evaluate("window.milliseconds")
    return milliseconds[WARM_UP:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page", type=Path)
    parser.add_argument("--strokes", type=int, default=30)
    options = parser.parse_args()
    found = sorted(measure(options.page, options.strokes))
    print(
        f"{len(found)} strokes: median {statistics.median(found):.0f} ms, "
        f"fastest {found[0]:.0f} ms, 90 % within {found[int(0.9 * len(found))]:.0f} ms"
    )


if __name__ == "__main__":
    main()
