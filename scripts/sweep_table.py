"""The results of a sweep as a Markdown table: one row per setting, mean ± std over its seeds."""

from statistics import fmean, stdev
from typing import Any

from genctl.training.early_stopping import overall_score

Record = dict[str, Any]  # a line of the .jsonl file of a sweep
Setting = tuple[str, tuple[tuple[str, str], ...]]  # a config and its changed settings

SCORES = (
    "agreement", "fid", "precision", "recall", "coverage", "diversity", "copies", "modes", "kl"
)  # fmt: skip
FORMATS = {"images": ",.0f", "images_per_second": ",.0f", "modes": ",.1f"}


def table(records: list[Record]) -> str:
    """What each setting reached, beside real images, and its worst seed."""
    if not records:
        return ""
    names = [name for name in SCORES if any(name in scores(record) for record in records)]
    rows = [["setting", "seeds", "images", "images/s", *names, "worst seed"]]
    rows.append(["---", *["---:"] * (len(rows[0]) - 2), "---"])
    evaluations = [record["evaluation"] for record in evaluated(records)]
    if evaluations:
        real = evaluations[0]["real"]
        values = [mean_and_std([real[name]] if name in real else [], name) for name in names]
        rows.append(["real images", "", "", "", *values, ""])
    for setting, label in labels(records).items():
        seeds = [record for record in records if setting_of(record) == setting]
        rows.append([label, *_row(seeds, names)])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def setting_of(record: Record) -> Setting:
    """What the runs of one setting have in common."""
    return record["config"], tuple(record["settings"].items())


def labels(records: list[Record]) -> dict[Setting, str]:
    """What distinguishes each setting from the others."""
    settings = list(dict.fromkeys(map(setting_of, records)))
    several_configs = len({config for config, _ in settings}) > 1
    common = set.intersection(*(set(changes) for _, changes in settings))
    found = {}
    for config, changes in settings:
        own = [f"{key}={value}" for key, value in changes if (key, value) not in common]
        found[config, changes] = " ".join([config, *own] if several_configs or not own else own)
    return found


def evaluated(records: list[Record]) -> list[Record]:
    """The runs that did not diverge."""
    return [record for record in records if record["evaluation"]]


def scores(record: Record) -> dict[str, float]:
    """The scores of a run; none if it diverged."""
    return dict(record["evaluation"]["scores"]) if record["evaluation"] else {}


def mean_and_std(values: list[float], name: str) -> str:
    """Mean ± std, formatted as suits the quantity ``name``."""
    if not values:
        return "–"
    digits = FORMATS.get(name, ".4f")
    mean = f"{fmean(values):{digits}}"
    return f"{mean} ± {stdev(values):{digits}}" if len(values) > 1 else mean


def _row(seeds: list[Record], names: list[str]) -> list[str]:
    done = evaluated(seeds)
    diverged = len(seeds) - len(done)
    columns = [f"{len(seeds)}" + (f", {diverged} diverged" if diverged else "")]
    for name in ("images", "images_per_second"):
        columns.append(mean_and_std([record[name] for record in done], name))
    for name in names:
        found = [scores(record)[name] for record in done if name in scores(record)]
        columns.append(mean_and_std(found, name))
    return [*columns, _worst(seeds)]


def _worst(seeds: list[Record]) -> str:
    """The seed that diverged, else the one with the worst overall score."""
    for record in seeds:
        if not record["evaluation"]:
            return f"{record['seed']}: diverged at {record['images']:,} images"
    worst = max(seeds, key=lambda record: overall_score(scores(record)))
    found = [f"{name} {scores(worst)[name]:.4f}" for name in ("fid", "agreement")
             if name in scores(worst)]  # fmt: skip
    return f"{worst['seed']}: {', '.join(found)}"
