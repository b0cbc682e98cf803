"""``genctl card``: what a model is, how it was trained and how good it is, for those who get it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from genctl.common.errors import MissingInput
from genctl.config import config as configs
from genctl.config.config import Config
from genctl.reports import formats
from genctl.reports.card_limits import limits
from genctl.reports.history import OVERALL, Basis, History, ScoreSet
from genctl.reports.markdown import Markdown, code, command, escape

PIPELINE_TAGS = {"image": "image-to-image", "text": "text-to-image"}
"""The Hub's name for what a model does, by the kind of its condition."""
DEFAULT_PIPELINE_TAG = "unconditional-image-generation"


@dataclass(frozen=True)
class Card:
    """What a model card says."""

    name: str
    metadata: dict[str, Any]  # the front matter
    summary: str
    caption: str  # of the samples
    sample_command: Markdown
    facts: list[tuple[str, str]]
    has_own_data: bool
    train_command: Markdown
    reproducibility: str
    scores_source: str
    has_std: bool
    scores: list[tuple[str, str, str, str]]  # name, of the model, std, of real images
    condition: str
    limits: list[str]
    license_text: str


def build_card(history: History) -> Card:
    """Collect what the files of a run say about its model.

    Raises:
        MissingInput: the run has no model yet.
        ConfigError: its config cannot be read.
    """
    run = history.run
    if not history.has_model:
        raise MissingInput(
            f"cannot write a card of {run}: it has no model yet; it is written at the first "
            "checkpoint"
        )
    config = configs.load(str(run.config))
    scores = next(iter(history.score_sets), None)
    return Card(
        name=history.name,
        metadata=_metadata(history, config, scores),
        summary=_summary(config),
        caption=_caption(config),
        sample_command=_sample_command(config),
        facts=_facts(history, config),
        has_own_data=config.data.kind == "folder",
        train_command=_train_command(history),
        reproducibility=_reproducibility(history),
        scores_source="" if scores is None else _scores_source(scores),
        has_std=scores is not None and bool(scores.std),
        scores=[] if scores is None else _score_rows(scores),
        condition=_condition(config, scores),
        limits=limits(history, config, scores),
        license_text=_license(config),
    )


def model_images(history: History) -> int:
    """Images that the model had seen: with scores in training it is the best one, not the last."""
    best = history.training.images if history.training else None
    return history.images if best is None else best


def _first_line(section: Any) -> str:
    return (type(section).__doc__ or section.kind).splitlines()[0].rstrip(".")


def _size(config: Config) -> str:
    size, colours = config.data.image_size, "grey" if config.data.channels == 1 else "colour"
    return f"{size}x{size} pixels, {colours}"


def _summary(config: Config) -> str:
    kind = {
        "none": "from noise alone",
        "image": "of the kind of an image that it is shown",
        "label": "of a class that it is given",
        "text": "of what words say",
    }.get(config.condition.kind, f"from a condition ({config.condition.kind})")
    return (
        f"An image generator: it draws new images ({_size(config)}) {kind}, like those of the data "
        f"set {config.data.kind}. Trained with genctl."
    )


def _caption(config: Config) -> str:
    rows = {
        "image": "each row is of the kind of the image in front of it; ",
        "text": "each row is for the words in front of it; ",
    }.get(config.condition.kind, "")
    return f"{rows}not selected; averaged weights."


def _sample_command(config: Config) -> Markdown:
    words = ["genctl", "sample", "--run", "model.safetensors", "--n", "64"]
    condition = {
        "image": ["--condition", "img.png"],
        "text": ["--prompt", "a thick seven leaning left" if _has_strokes(config) else "WORDS"],
    }
    return command(words + condition.get(config.condition.kind, []))


def _has_strokes(config: Config) -> bool:
    """Whether captions are about digits and their strokes."""
    return bool(config.data.caption_attributes)


def _train_command(history: History) -> Markdown:
    words = ["genctl", "train", "--config", "config.yaml", "--name", f"{history.name}-again"]
    max_time = history.run.read_result().get("max_time")
    if max_time is not None:  # the learning-rate schedule was fitted to this time
        words += ["--max-time", f"{max_time:g}"]
    if "thread_rates" in history.environment:  # another measurement may choose another number
        words += ["--set", f"training.threads={history.environment['threads']}"]
    return command(words)


def _reproducibility(history: History) -> str:
    environment = history.environment
    if environment.get("bit_exact") is False:
        return "The run was resumed in another environment, so the weights will differ a little."
    if history.run.read_result().get("max_time") is not None:
        return "It was trained for a time, so the number of images, and the weights, will differ."
    return (
        "On the same machine with the same versions and number of threads, that gives the same "
        "bits; elsewhere a similar model."
    )


def _facts(history: History, config: Config) -> list[tuple[str, str]]:
    environment, data = history.environment, config.data
    device = [environment.get("device"), environment.get("device_name")]
    facts: list[tuple[str, Any]] = [
        ("data", Markdown(f"{code(data.kind)}, {_size(config)}")),
        ("SHA-256 of the training images", _code_or_none(environment.get("data"))),
        ("condition", _kind(config.condition)),
        ("networks", _kind(config.networks)),
        ("objective", _kind(config.objective)),
        ("parameters", ", ".join(f"{k} {v:,}" for k, v in history.parameters.items() if v)),
        ("images seen in training", _images(history)),
        ("batch size", f"{config.training.batch_size:,}"),
        ("seed", config.training.seed),
        ("status", history.status),
        ("time", formats.seconds(history.seconds)),
        ("speed", f"{formats.number(history.images_per_second)} images/s"),
        ("device", ", ".join(str(part) for part in device if part)),
        ("processes, threads", f"{environment.get('processes')}, {environment.get('threads')}"),
        ("precision", environment.get("precision")),
        ("genctl", environment.get("genctl")),
        ("PyTorch, Python", f"{environment.get('torch')}, {environment.get('python')}"),
        ("git revision of genctl", environment.get("git")),
    ]
    return [(name, value) for name, value in facts if value not in (None, "")]


def _images(history: History) -> str:
    seen = model_images(history)
    if seen == history.images:
        return f"{seen:,}"
    return f"{seen:,}, the best moment of a run of {history.images:,}"


def _kind(section: Any) -> Markdown:
    return Markdown(f"{code(section.kind)}: {escape(_first_line(section))}")


def _code_or_none(value: Any) -> Markdown | None:
    return code(value) if isinstance(value, str) else None


def _scores_source(scores: ScoreSet) -> str:
    basis = scores.basis
    n = "an unknown number of" if basis.n is None else f"{basis.n:,}"
    digest = f", SHA-256 {basis.judge[:16]}…" if basis.judge else ""
    known = scores.judge_accuracy
    accuracy = "" if known is None else f", test accuracy {formats.score('agreement', known)}"
    where = {
        "inception": "the features of Inception",
        "self-supervised": f"features learned from the same data without labels{digest}",
    }.get(
        basis.features or "",
        f"the features of a judge, a classifier of the same data{digest}{accuracy}",
    )
    what = f"{n} samples against {basis.against or 'training'} images in {where}"
    if basis.source == "evaluation":
        return f"Measured by genctl evaluate: {what}."
    return (
        f"Measured while it trained: {what}. The model is the best of all moments by these scores."
    )


def _score_rows(scores: ScoreSet) -> list[tuple[str, str, str, str]]:
    return [
        (
            formats.score_name(name),
            formats.score(name, value),
            formats.score(name, scores.std.get(name)),
            formats.score(name, scores.real.get(name)),
        )
        for name, value in scores.scores.items()
        if name != OVERALL
    ]


def _condition(config: Config, scores: ScoreSet | None) -> str:
    condition = config.condition
    if condition.kind == "none":
        return "There is none: x = G(z). There is no encoder."
    text = f"The encoder turns the condition into a code of length {condition.code_dim}."
    if condition.kind == "text":
        return Markdown(
            f"{text} It reads words that it saw in training, and refuses others. "
            "`genctl encode captions.txt --run model.safetensors` writes codes, one for each line."
        )
    if condition.kind != "image":
        return text
    probe = scores.scores.get("linear_probe") if scores else None
    if probe is not None:
        text += (
            f" A linear probe reads the class from codes of test images in {probe:.1%} of cases."
        )
    return Markdown(f"{text} `genctl encode img.png --run model.safetensors` writes codes.")


def _license(config: Config) -> str:
    known = config.data.license
    data = (
        f"The data set {config.data.kind} is published under {known}."
        if known
        else f"The licence of the data ({config.data.kind}) is unknown to genctl."
    )
    return Markdown(
        f"{escape(data)} That of the model is for its author to choose, and to write into the "
        "first lines of this file in place of `unknown`."
    )


def _metric_name(name: str, basis: Basis) -> str:
    """Says what a score was measured with, as the Hub shows it beside scores of other models."""
    features = "Inception" if basis.features == "inception" else "a judge of the data"
    return f"{formats.score_name(name)} (features of {features}, {basis.n or 'unknown'} samples)"


def _metadata(history: History, config: Config, scores: ScoreSet | None) -> dict[str, Any]:
    kind = config.condition.kind
    hub_name = config.data.hub_name
    content: dict[str, Any] = {
        "license": "unknown",
        "library_name": "genctl",
        "pipeline_tag": PIPELINE_TAGS.get(kind, DEFAULT_PIPELINE_TAG),
        "tags": ["genctl", "image-generation", config.objective.kind, config.networks.kind],
    }
    if hub_name:
        content["datasets"] = [hub_name]
    if scores is not None:
        content["model-index"] = [
            {
                "name": history.name,
                "results": [
                    {
                        "task": {"type": content["pipeline_tag"]},
                        "dataset": {"name": config.data.kind, "type": hub_name or config.data.kind},
                        "metrics": [
                            {
                                "type": name,
                                "name": _metric_name(name, scores.basis),
                                "value": round(value, 6),
                            }
                            for name, value in scores.scores.items()
                            if name != OVERALL
                        ],
                    }
                ],
            }
        ]
    return content
