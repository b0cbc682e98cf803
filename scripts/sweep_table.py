"""The numbers of a sweep as a Markdown table: a row for each setting, mean ± std over seeds."""

from statistics import fmean, stdev
from typing import Any

from genctl.training.early_stopping import overall

Record = dict[str, Any]
Setting = tuple[str, tuple[tuple[str, str], ...]]

SCORES = (
    "agreement", "fid", "precision", "recall", "coverage", "diversity", "copies", "modes", "kl"
)  # fmt: skip


def table(records: list[Record]) -> str:
    """Settings, what they reached, and the worst of their seeds by FID and agreement together."""
    if not records:
        return ""
    shown = [name for name in SCORES if any(name in scores(record) for record in records)]
    rows = [["setting", "seeds", "images", "images/s", *shown, "worst seed"]]
    rows.append(["---", *["---:"] * (len(rows[0]) - 2), "---"])
    measured = [record["evaluation"] for record in records if record["evaluation"]]
    if measured:
        real = measured[0]["real"]
        values = [spread([real[name]] if name in real else [], name) for name in shown]
        rows.append(["real images", "", "", "", *values, ""])
    for setting, name in names(records).items():
        rows.append([name, *_row([one for one in records if key(one) == setting], shown)])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def key(record: Record) -> Setting:
    """What the seeds of one setting share."""
    return record["config"], tuple(record["sets"].items())


def names(records: list[Record]) -> dict[Setting, str]:
    """Each setting by what tells it from the others."""
    settings = list(dict.fromkeys(map(key, records)))
    configs = {config for config, _ in settings}
    common = set.intersection(*(set(sets) for _, sets in settings))
    found = {}
    for config, sets in settings:
        own = [f"{name}={value}" for name, value in sets if (name, value) not in common]
        found[config, sets] = " ".join([config] * (len(configs) > 1 or not own) + own)
    return found


def scores(record: Record) -> dict[str, float]:
    return dict(record["evaluation"]["scores"]) if record["evaluation"] else {}


def spread(values: list[float], name: str) -> str:
    """Mean ± std, with the digits that ``name`` deserves."""
    if not values:
        return "–"
    digits = {"images": ",.0f", "images_per_second": ",.0f", "modes": ",.1f"}.get(name, ".4f")
    mean = f"{fmean(values):{digits}}"
    return f"{mean} ± {stdev(values):{digits}}" if len(values) > 1 else mean


def _row(seeds: list[Record], shown: list[str]) -> list[str]:
    done = [record for record in seeds if record["evaluation"]]
    diverged = len(seeds) - len(done)
    columns = [f"{len(seeds)}" + (f", {diverged} diverged" if diverged else "")]
    for name in ("images", "images_per_second"):
        columns.append(spread([record[name] for record in done], name))
    for name in shown:
        columns.append(spread([scores(one)[name] for one in done if name in scores(one)], name))
    return [*columns, _worst(seeds)]


def _worst(seeds: list[Record]) -> str:
    """The seed that diverged, else the one with the worst FID and agreement together."""
    for record in seeds:
        if not record["evaluation"]:
            return f"{record['seed']}: diverged at {record['images']:,} images"
    worst = max(seeds, key=lambda record: overall(scores(record)))
    found = scores(worst)
    told = [f"{name} {found[name]:.4f}" for name in ("fid", "agreement") if name in found]
    return f"{worst['seed']}: {', '.join(told)}"
