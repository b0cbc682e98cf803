"""The work of ``genctl export``: the networks of a model as ONNX files, for other programs."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn

from genctl.common import files
from genctl.common.errors import Unavailable
from genctl.data.base import Images
from genctl.model import Model
from genctl.runs.model_file import TrainedModel

NEEDED = ("onnx", "onnxscript", "onnxruntime")
BATCHES = (2, 1, 7)  # sizes that are compared; the first is what the exporter is shown
TOLERANCE = 1e-4


class Generator(nn.Module):
    """z (B, z_dim) and, where there is a condition, codes (B, width) -> images (B, C, H, W)."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model

    def forward(self, z: Tensor, code: Tensor | None = None) -> Tensor:
        """Draw images in about [-1, 1]."""
        return self.model.generate(z, z[:, :0] if code is None else code)


class Encoder(nn.Module):
    """What is shown, images (B, C, H, W) in [-1, 1] or labels (B,) -> codes (B, width)."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model

    def forward(self, shown: Tensor) -> Tensor:
        """Encode."""
        return self.model.encode(shown)


@dataclass(frozen=True)
class Part:
    """One file: a network, the names of what goes in and comes out, and examples of any number."""

    name: str
    network: nn.Module
    inputs: tuple[str, ...]
    output: str
    examples: Callable[[int], tuple[Tensor, ...]]


def require_packages() -> None:
    """Refuse to begin without what comes with the extra.

    Raises:
        Unavailable: naming what is missing.
    """
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise Unavailable(
            f"cannot export: {', '.join(missing)} is missing; `pip install 'genctl[onnx]'`"
        )


def export(trained: TrainedModel, folder: Path) -> dict[str, float]:
    """Write generator.onnx and, where there is a condition, encoder.onnx.

    Args:
        trained: the model, on the CPU.
        folder: where to write.

    Returns:
        The path of each file, and by how much onnxruntime's numbers differ from torch's at most.

    Raises:
        Unavailable: what was converted computes something else.
        CannotCreate, WriteFailed: the files cannot be written.
    """
    contents, differences = {}, {}
    for part in _parts(trained):
        path = folder / f"{part.name}.onnx"
        contents[path] = _converted(part, trained)
        off = differences[str(path)] = _difference(part, contents[path])
        if not off <= TOLERANCE:
            raise Unavailable(
                f"cannot export the {part.name}: as ONNX its numbers are off by {off:.2g}; try "
                "other versions of onnxscript and onnxruntime"
            )
    files.make_folder(folder)
    for path, content in contents.items():
        files.atomic_write(path, content)
    return differences


def _parts(trained: TrainedModel) -> list[Part]:
    model, config = trained.model, trained.metadata.config
    shape, width = config.data.shape, config.condition.code_dim
    random = torch.Generator().manual_seed(0)

    def normal(count: int, length: int) -> Tensor:
        return torch.randn(count, length, generator=random)

    def z(count: int) -> tuple[Tensor, ...]:
        return (normal(count, model.z_dim),)

    if not width:
        return [Part("generator", Generator(model), ("z",), "images", z)]

    def z_and_code(count: int) -> tuple[Tensor, ...]:
        return (*z(count), normal(count, width))

    def shown(count: int) -> tuple[Tensor, ...]:
        size = (count, shape.channels, shape.size, shape.size)
        pixels = torch.randint(256, size, generator=random, dtype=torch.uint8)
        labels = torch.arange(count) % max(len(trained.metadata.classes), 1)
        images = Images(pixels, labels, trained.metadata.classes)
        return (config.condition.encoder_inputs(images, torch.arange(count)),)

    return [
        Part("generator", Generator(model), ("z", "code"), "images", z_and_code),
        Part("encoder", Encoder(model), ("shown",), "codes", shown),
    ]


def _converted(part: Part, trained: TrainedModel) -> bytes:
    """The bytes of an ONNX file that takes batches of any size."""
    batch = torch.export.Dim("batch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch about itself
        program = torch.onnx.export(
            part.network.eval(),
            part.examples(BATCHES[0]),
            dynamo=True,
            verbose=False,
            input_names=list(part.inputs),
            output_names=[part.output],
            dynamic_shapes=tuple({0: batch} for _ in part.inputs),
        )
    assert program is not None
    proto = program.model_proto
    metadata = {"model_sha256": trained.digest, "classes": trained.metadata.classes}
    proto.metadata_props.add(key="genctl", value=json.dumps(metadata))
    content: bytes = proto.SerializeToString()
    return content


@torch.no_grad()
def _difference(part: Part, content: bytes) -> float:
    """By how much the numbers of onnxruntime differ from torch's at most."""
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    largest = 0.0
    for count in BATCHES:
        examples = part.examples(count)
        expected = part.network(*examples)
        given = {name: x.numpy() for name, x in zip(part.inputs, examples, strict=True)}
        (found,) = session.run([part.output], given)
        if found.shape != tuple(expected.shape):
            return float("inf")
        largest = max(largest, float((torch.from_numpy(found) - expected).abs().max()))
    return largest
