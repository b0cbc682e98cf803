"""A config for a folder of pictures, with the reason for each choice beside it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from genctl.common.errors import UsageError
from genctl.common.registry import kinds
from genctl.data.folder_survey import Survey

FEW = 10_000  # pictures, below which the critic is held back more
EPOCHS = 100
MIN_IMAGES, MAX_IMAGES = 100_000, 1_000_000  # of training
BATCH_SIZE = 64
PRESET_SIZE = 32  # of the pictures that the presets were measured on
MAX_ASYMMETRY = 0.1  # above, mirror images would be new to the data
COLOURED = 0.01  # share of coloured pictures that are worth three channels
MANY_CLASSES = 50
MAX_NAMED = 12  # classes
MAX_BROKEN_NAMED = 5


@dataclass(frozen=True)
class Choice:
    """A value in YAML, and why it was chosen."""

    value: str
    why: str


def seen(survey: Survey) -> list[str]:
    """What a folder holds, one line for each thing."""
    lines = [_counts(survey)]
    if survey.notes:
        lines.append(f"left out: {', '.join(survey.notes)}")
    small, large = ("x".join(map(str, size)) for size in (survey.smallest, survey.largest))
    sizes = f"all {small}" if small == large else f"{small} to {large}"
    middle = "" if small == large else f"; the median of the shorter side is {survey.shorter_side}"
    lines.append(f"sizes: {sizes}{middle}")
    colours = {0.0: "all grey", 1.0: "all coloured"}
    lines.append(f"colours: {colours.get(survey.coloured, f'{survey.coloured:.1%} are coloured')}")
    total = survey.count + survey.test_count
    lines.append(f"transparent: {_some(survey.transparent, total)}")
    lines.append(f"broken: {_broken(survey)}")
    what = f" (identical to another at {survey.image_size}x{survey.image_size})"
    lines.append(
        f"duplicates: {_some(survey.duplicates, total)}{what if survey.duplicates else ''}"
    )
    return [_printable(line) for line in lines]


def propose(survey: Survey, name: str, asked_size: bool = False) -> str:
    """The text of a config that trains on the folder.

    Args:
        survey: what the folder holds.
        name: what the config will be called, for the command in its head.
        asked_size: whether the image size was given.

    Raises:
        UsageError: the path of the folder cannot be written in a config.
    """
    values = _choices(survey, asked_size)
    lines = [
        f"# {_printable(survey.root.name)}: a folder of pictures, as `genctl configs new` saw it.",
        f"#   genctl train --config {_printable(name)} --max-time 240",
        *(f"# {line}" for line in seen(survey)),
    ]
    for section, choices in values.items():
        lines.append(f"{section}:")
        for key, choice in choices.items():
            line = f"  {key}: {choice.value}"
            lines.append(f"{line}  # {choice.why}" if choice.why else line)
    return "\n".join(lines) + "\n"


def run_stem(root: Path) -> str:
    """What runs on a folder are called, before the hash of their settings."""
    return re.sub(r"[^\w.-]+", "-", root.resolve().name).strip("-.") or "pictures"


def _choices(survey: Survey, asked_size: bool) -> dict[str, dict[str, Choice]]:
    few = survey.count < FEW
    labelled = len(survey.class_counts) > 1
    # The presets' least restraint of the critic diverges on larger pictures without classes.
    bold = not few and labelled and survey.image_size <= PRESET_SIZE
    condition, why = _condition(survey)
    is_image = condition == "image"
    many = len(survey.class_counts) > MANY_CLASSES
    code_dim = 64 if many else 16 if labelled else 32
    networks = {
        "kind": Choice("dcgan", ""),
        "z_dim": Choice("64" if few else "128", ""),
        "generator_channels": Choice("small", "follow image_size; auto is twice as wide"),
        "conditional_batchnorm": Choice("true", ""),
        "critic_channels": Choice("small", ""),
    }
    if is_image:
        networks |= {
            "encoder_channels": Choice("small", ""),
            "encoder": Choice("strided", ""),
        }
    objective = {
        "kind": Choice("relativistic", ""),
        "gamma": Choice("0.5" if bold else "1.0", "the larger, the more the critic is held back"),
        "r1_interval": Choice("8", ""),
    }
    if labelled:
        objective["critic_cross_entropy_weight"] = Choice("1", "the critic learns the classes")
    optimizer = {
        "learning_rate": Choice("2e-3" if survey.image_size <= PRESET_SIZE else "1e-3", ""),
        "betas": Choice("[0.0, 0.9]" if bold else "[0.0, 0.99]", ""),
        **({"encoder_betas": Choice("[0.9, 0.99]", "")} if is_image else {}),
        "warmup_images": Choice("2000" if few else "5000", ""),
        "schedule": Choice("linear", "fitted to --max-time where that is given"),
        "schedule_start": Choice("0.4", ""),
    }
    sections = {
        "data": _data(survey, asked_size),
        "condition": {"kind": Choice(condition, why)},
        "networks": networks,
        "objective": objective,
        "optimizer": optimizer,
        "training": _training(survey),
    }
    if is_image:
        if not labelled:
            sections["condition"]["pairing"] = Choice("instance", "class needs classes")
        sections["condition"] |= {
            "code_dim": Choice(str(code_dim), ""),
            "code_noise": Choice("0.1", ""),
            "augment": Choice("{degrees: 5, translate: 0.04, scale: 0.05}", "for the encoder"),
        }
    return sections


def _data(survey: Survey, asked_size: bool) -> dict[str, Choice]:
    size = f"the power of two nearest to the shorter sides ({survey.shorter_side}), 16 to 64"
    channels, colours = ("3", "coloured") if survey.coloured > COLOURED else ("1", "grey")
    choices = {
        "kind": Choice("folder", ""),
        "root": Choice(quoted(survey.root), ""),
        "image_size": Choice(str(survey.image_size), "as asked for" if asked_size else size),
        "channels": Choice(channels, colours),
    }
    if not survey.square:
        why = {
            "crop": "cuts off the longer sides; pad keeps the whole picture, fit squeezes it",
            "pad": f"keeps the whole picture: the ground is plain ({survey.ground})",
            "fit": "squeezes the longer sides",
        }
        choices["resize"] = Choice(survey.resize, why[survey.resize])
    if survey.transparent or survey.resize == "pad":
        why_ground = "most pictures stand out from it" if survey.transparent else "as their borders"
        choices["ground"] = Choice(survey.ground, why_ground)
    choices["mirror"] = _mirror(survey)
    least = min(survey.class_counts.values(), default=0)
    if max(survey.class_counts.values(), default=0) > 10 * least:
        choices["even_classes"] = Choice("true", "the classes differ much in size")
    return choices


def _mirror(survey: Survey) -> Choice:
    figure = f"asymmetry {survey.asymmetry:.2f}"
    if survey.has_captions:
        return Choice("false", "captions may say left and right")
    if survey.class_counts and all(len(name) == 1 for name in survey.class_counts):
        return Choice("false", "classes of one character: mirrored digits and letters are wrong")
    if survey.asymmetry > MAX_ASYMMETRY:
        return Choice("false", f"mirror images would look different ({figure})")
    return Choice("true", f"mirror images look like the others ({figure})")


def _condition(survey: Survey) -> tuple[str, str]:
    if survey.has_captions and "text" in kinds("conditions"):
        return "text", "the captions"
    if len(survey.class_counts) > 1:
        return "image", f"{len(survey.class_counts)} classes: it generates more of the kind shown"
    return "image", "there are no classes: shown a picture, it generates more like it"


def _training(survey: Survey) -> dict[str, Choice]:
    images = min(max(EPOCHS * survey.count, MIN_IMAGES), MAX_IMAGES)
    images -= images % 1000
    batch_size = min(BATCH_SIZE, max(2, 2 ** (survey.count.bit_length() - 1)))
    return {
        "images": Choice(str(images), f"each picture about {images // survey.count:,} times"),
        "batch_size": Choice(str(batch_size), ""),
        "ema_half_life": Choice("1e6", ""),
        "ema_rampup": Choice("0.05", ""),
        "checkpoint_every": Choice(str(images // 20), ""),
    }


def _counts(survey: Survey) -> str:
    pictures = f"{survey.count:,} pictures"
    tests = f"; {survey.test_count:,} more to test" if survey.test_count else ""
    captions = " with captions" if survey.has_captions else ""
    counts = survey.class_counts
    if len(counts) < 2:
        return f"{pictures}{captions}, no classes{tests}"
    least, most = min(counts.values()), max(counts.values())
    named = [name if least == most else f"{name} {count:,}" for name, count in counts.items()]
    more = "" if len(counts) <= MAX_NAMED else f", and {len(counts) - MAX_NAMED} more"
    each = f"{least:,} each" if least == most else f"{least:,} to {most:,} each"
    names = ", ".join(named[:MAX_NAMED]) + more
    return f"{pictures}{captions} in {len(counts)} classes of {each}: {names}{tests}"


def _some(number: int, count: int) -> str:
    return {0: "none", count: "all"}.get(number, f"{number:,}")


def _broken(survey: Survey) -> str:
    if not survey.broken:
        return "none"
    named = [f"{name} ({why})" for name, why in survey.broken.items()][:MAX_BROKEN_NAMED]
    more = len(survey.broken) - len(named)
    return f"{len(survey.broken):,}, left out: {', '.join(named)}" + (f", {more} more" * bool(more))


def quoted(root: Path) -> str:
    """The absolute path of a folder as YAML.

    Raises:
        UsageError: YAML cannot hold it.
    """
    text = str(root.resolve())
    if not text.isprintable():
        raise UsageError(
            f"cannot write a config for {text}: its path has characters that are no text; rename it"
        )
    if re.fullmatch(r"[\w./-]+", text):
        return text
    return "'" + text.replace("'", "''") + "'"


def _printable(text: str) -> str:
    """Text that ends no comment."""
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)
