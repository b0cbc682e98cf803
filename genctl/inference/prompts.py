"""From words to codes: ``text:a thick seven``, and files with a caption in each line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from genctl.common.errors import BadContent, MissingInput, UsageError
from genctl.common.nearest import nearest_words
from genctl.conditions.text import Text
from genctl.data.caption_pictures import caption_picture
from genctl.data.captions import numbers_of, tokenize, words_of
from genctl.inference import sampling
from genctl.inference.resolved import CaptionCode
from genctl.runs.model_file import TrainedModel

PREFIX = "text:"
MAX_FILE = 10_000_000  # bytes of a file of captions
SHOWN = 60  # characters of a prompt in messages
MAX_LISTED = 80  # words of a vocabulary that a message lists
MAX_UNKNOWN = 5  # words that a message names


def is_prompt(spec: str) -> bool:
    """Whether a spec is ``text:`` and words."""
    return spec.startswith(PREFIX)


def encode_prompt(spec: str, trained: TrainedModel) -> CaptionCode:
    """The code of ``text:`` and words.

    Raises:
        UsageError: the model is not conditioned on words, or has not seen one of these.
    """
    condition = require_text(spec, trained)
    text = spec.removeprefix(PREFIX)
    problem = caption_problem(text, condition, trained.metadata.vocabulary)
    if problem:
        raise UsageError(f"--condition {spec[:SHOWN]}: {problem}")
    return encode_captions([text], trained)[0]


def encode_captions(texts: Sequence[str], trained: TrainedModel) -> list[CaptionCode]:
    """The codes of captions whose words the model knows."""
    condition, vocabulary = trained.metadata.config.condition, trained.metadata.vocabulary
    assert isinstance(condition, Text)
    numbers = numbers_of(vocabulary)
    tokens = [tokenize(words_of(text), numbers, condition.max_words) for text in texts]
    shape = trained.metadata.config.data.shape
    return [
        CaptionCode(
            name=PREFIX + text,
            z_dim=trained.model.z_dim,
            code=code,
            picture=caption_picture(text, shape),
        )
        for text, code in zip(
            texts, sampling.encode(trained.model, torch.tensor(tokens)), strict=True
        )
    ]


def require_text(spec: str, trained: TrainedModel) -> Text:
    """The condition of a model that is conditioned on words.

    Raises:
        UsageError: it is another one.
    """
    condition = trained.metadata.config.condition
    if not isinstance(condition, Text):
        raise UsageError(
            f"--condition {spec[:SHOWN]}: {trained.path} is not conditioned on words; a config "
            "with `condition: {kind: text}` trains a model that is, as mnist_text does"
        )
    return condition


def caption_problem(text: str, condition: Text, vocabulary: Sequence[str]) -> str:
    """Why a model cannot read a caption; empty if it can."""
    words = words_of(text)
    if not words:
        return "it has no words; say what to draw"
    if len(words) > condition.max_words:
        return (
            f"it has {len(words):,} words, and the model reads {condition.max_words} at most; "
            "say it in fewer"
        )
    unknown = list(dict.fromkeys(word for word in words if word not in vocabulary))
    if not unknown:
        return ""
    hints = []
    for word in unknown:
        near = nearest_words(word, vocabulary)
        hints.append(repr(word[:SHOWN]) + (f" (near: {', '.join(near)})" if near else ""))
    more = ", …" if len(vocabulary) > MAX_LISTED else ""
    known = ", ".join(sorted(vocabulary)[:MAX_LISTED]) + more
    return f"the model has never seen {', '.join(hints[:MAX_UNKNOWN])}; it knows {known}"


def read_captions(path: Path, trained: TrainedModel) -> list[CaptionCode]:
    """The codes of the lines of a text file; empty ones are skipped.

    Raises:
        MissingInput: the file cannot be read.
        BadContent: it is not UTF-8 text, has no captions, or the model cannot read one.
    """
    condition = trained.metadata.config.condition
    assert isinstance(condition, Text)
    texts = []
    for number, line in enumerate(_read_text(path).splitlines(), start=1):
        if not line.strip():
            continue
        problem = caption_problem(line, condition, trained.metadata.vocabulary)
        if problem:
            raise BadContent(f"cannot use {path}:{number}: {problem}")
        texts.append(line.strip())
    if not texts:
        raise BadContent(f"cannot use {path}: it has no captions; write one in each line")
    return encode_captions(texts, trained)


def _read_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE + 1)
    except OSError as error:
        raise MissingInput(f"cannot read {path}: {error.strerror}; check the path") from None
    if len(content) > MAX_FILE:
        raise BadContent(f"cannot use {path}: it is larger than {MAX_FILE:,} bytes; split it")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadContent(
            f"cannot use {path}: it is not UTF-8 text: {error.reason}; save it as UTF-8"
        ) from None
