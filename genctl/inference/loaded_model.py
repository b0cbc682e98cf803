"""A trained model as notebooks and scripts use it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from operator import index
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import TypeAdapter, ValidationError

from genctl.common.errors import UsageError, user_errors
from genctl.config.config import Config
from genctl.data import pictures
from genctl.inference import layout
from genctl.inference.in_memory import Given, encode_given, resolve_given
from genctl.inference.interpolation import between_conditions, between_z
from genctl.inference.samples import SampleRequest, SampleSet
from genctl.model import Model
from genctl.runs.model_file import TrainedModel

BATCH_SIZE = 4096  # images generated at a time; changes no image

log = logging.getLogger("genctl")


class LoadedModel:
    """A trained model: samples, codes and grids. Threads may share it, and take turns.

    Where a method takes a ``condition``, it is a spec of the command line (``"label:7"``,
    ``"mnist:test[0:10]"``, ``"mix:A,B"``, ``"noise"``, a file, folder or glob), a path, a PIL
    image, an array of images, uint8 of shape (H, W), (H, W, C), (N, H, W) or (N, H, W, C), an array
    of codes from ``encode``, or a list of such. Images are prepared as those of files are.
    """

    def __init__(self, trained: TrainedModel) -> None:
        self.trained = trained
        self._lock = Lock()

    def __repr__(self) -> str:
        shape = "x".join(map(str, self.image_shape))
        return f"<LoadedModel {self.path}: {shape} images, code_dim {self.code_dim}>"

    @property
    def path(self) -> Path:
        """The model file."""
        return self.trained.path

    @property
    def digest(self) -> str:
        """SHA-256 of the weights and metadata."""
        return self.trained.digest

    @property
    def config(self) -> Config:
        """The settings that the model was trained with."""
        return self.trained.metadata.config

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes in the training data; empty where it has no labels."""
        return self.trained.metadata.classes

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(H, W, C) of the images."""
        shape = self.config.data.shape
        return shape.size, shape.size, shape.channels

    @property
    def code_dim(self) -> int:
        """The length of a code; 0 for an unconditional model."""
        return self.config.condition.code_dim

    @property
    def z_dim(self) -> int:
        """The length of z."""
        return self.trained.model.z_dim

    @property
    def module(self) -> Model:
        """The networks as a torch module: ``module.generate(z, code)``, (B, C, H, W) in [-1, 1]."""
        return self.trained.model

    def sample(
        self,
        n: int = 64,
        condition: Given | Sequence[Given] | None = None,
        *,
        seed: int = 0,
        truncation: float = 1.0,
        interpolate: bool = False,
    ) -> NDArray[np.uint8]:
        """Images as ``genctl sample`` generates them; image i depends on condition, seed and i.

        Args:
            n: how many, for each condition; in total if there is none.
            condition: one or several; without one, every class, or noise.
            seed: the random seed.
            truncation: scales z; below 1, images are more typical and less varied.
            interpolate: whether to walk through z.

        Returns:
            uint8 of shape (N, H, W, C), condition by condition.

        Raises:
            UsageError: the model does not take such a condition, or an argument is out of range.
            MissingInput, BadContent: a file cannot be used.
            OutOfMemory: the images do not fit into memory.
        """
        with user_errors(), self.in_use():
            return _to_array(self._samples(n, condition, seed, truncation, interpolate))

    def grid(
        self,
        n: int = 64,
        condition: Given | Sequence[Given] | None = None,
        *,
        seed: int = 0,
        truncation: float = 1.0,
        interpolate: bool = False,
    ) -> Image.Image:
        """The picture that ``genctl sample`` writes: a row for each condition, which is in front.

        Args and errors are those of ``sample``; UsageError also for too many images.
        """
        with user_errors(), self.in_use():
            samples = self._samples(n, condition, seed, truncation, interpolate)
            return pictures.tensor_to_pil(layout.render_grid(samples, BATCH_SIZE))

    def interpolate(
        self,
        a: Given | int,
        b: Given | int,
        steps: int = 10,
        *,
        seed: int = 0,
        truncation: float = 1.0,
    ) -> NDArray[np.uint8]:
        """Images from a to b, as those of the spec ``mix:A,B``.

        Args:
            a: where to begin: a condition. For an unconditional model a seed, whose first sample is
                meant, or z itself, floats of shape (z_dim,).
            b: where to end.
            steps: how many images, both ends included.
            seed: of the z that all images share; it changes nothing where z itself moves.
            truncation: scales z.

        Returns:
            uint8 of shape (steps, H, W, C).

        Raises:
            UsageError: the model does not take such ends, or one is several conditions.
            MissingInput, BadContent: a file cannot be used.
        """
        with user_errors(), self.in_use():
            request = _request(1, steps, seed, truncation, interpolate=False)
            if self.code_dim:
                mix = between_conditions(a, b, request.n, self.trained, log.warning)
                return _to_array(SampleSet(request, self.trained, [mix]))
            arc = between_z(a, b, request.n, self.trained)
            return _to_array(SampleSet(request, self.trained, [arc]))

    def encode(self, images: Given | Sequence[Given]) -> NDArray[np.float32]:
        """The codes of images.

        Args:
            images: files, folders, globs, ``"mnist:test"``, PIL images, or arrays of images, uint8
                of shape (N, H, W) or (N, H, W, C).

        Returns:
            float32 of shape (N, code_dim), each with a mean square of 1.

        Raises:
            UsageError: the model has no image encoder, or an array does not hold images.
            MissingInput, BadContent: a file cannot be used.
        """
        with user_errors(), self.in_use():
            codes: NDArray[np.float32] = encode_given(
                _as_list(images), self.trained, log.warning
            ).numpy()
            return codes

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Keep other threads out: the weights are cast while images are generated."""
        with self._lock:
            yield

    def _samples(
        self,
        n: int,
        condition: Given | Sequence[Given] | None,
        seed: int,
        truncation: float,
        interpolate: bool,
    ) -> SampleSet:
        if condition is None:
            request = _request(0, n, seed, truncation, interpolate)
            return SampleSet.from_request(request, self.trained, log.info, log.warning)
        given = _as_list(condition)
        request = _request(len(given), n, seed, truncation, interpolate)
        resolved = resolve_given(given, self.trained, log.warning, request.n)
        return SampleSet.from_conditions(request, self.trained, resolved)


def _as_list(given: Given | Sequence[Given]) -> list[Given]:
    if not isinstance(given, list | tuple):
        return [given]  # type: ignore[list-item]
    if not given:
        raise UsageError("the list of images or conditions is empty; give at least one")
    return list(given)


def _request(
    conditions: int, n: int, seed: int, truncation: float, interpolate: bool
) -> SampleRequest:
    """A valid request; its conditions have no names, since it is not written into a picture."""
    try:
        values = {
            "conditions": ("given",) * conditions,
            "n": index(n),
            "seed": index(seed),
            "truncation": float(truncation),
            "interpolate": interpolate,
        }
        return TypeAdapter(SampleRequest).validate_python(values)
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(
            f"{first['loc'][0]} {first['input']}: {first['msg'].lower()}; choose another"
        ) from None
    except (TypeError, ValueError) as error:
        raise UsageError(f"n, seed or truncation: {error}; give numbers") from None


def _to_array(samples: SampleSet) -> NDArray[np.uint8]:
    pixels = samples.pixels(BATCH_SIZE)  # (N, C, H, W)
    images: NDArray[np.uint8] = pixels.permute(0, 2, 3, 1).contiguous().numpy()
    return images
