"""What ``genctl export`` writes: the networks of a model as ONNX files, for other programs."""

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
from genctl.conditions.text import Text
from genctl.data.base import Images
from genctl.model import Model
from genctl.runs.model_file import TrainedModel

REQUIRED_PACKAGES = ("onnx", "onnxscript", "onnxruntime")
BATCH_SIZES = (2, 1, 7)  # for the comparison with torch; the first also traces the network
TOLERANCE = 1e-4  # largest difference of an output


class Generator(nn.Module):
    """z (B, z_dim) and, if conditional, codes (B, code_dim) -> images (B, C, H, W)."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model

    def forward(self, z: Tensor, code: Tensor | None = None) -> Tensor:
        """Generate images in about [-1, 1]."""
        return self.model.generate(z, z[:, :0] if code is None else code)


class Encoder(nn.Module):
    """Conditions, images (B, C, H, W) in [-1, 1] or labels (B,) -> codes (B, code_dim)."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model

    def forward(self, condition: Tensor) -> Tensor:
        """Encode conditions."""
        return self.model.encode(condition)


@dataclass(frozen=True)
class ExportedNetwork:
    """A network and what the exporter needs to know of it."""

    name: str  # of the file
    network: nn.Module
    input_names: tuple[str, ...]
    output_name: str
    example_inputs: Callable[[int], tuple[Tensor, ...]]  # batch size -> random inputs


def require_packages() -> None:
    """Refuse to begin without the packages of the extra ``onnx``.

    Raises:
        Unavailable: naming those that are missing.
    """
    missing = [name for name in REQUIRED_PACKAGES if find_spec(name) is None]
    if missing:
        raise Unavailable(
            f"cannot export: {', '.join(missing)} is missing; `pip install 'genctl[onnx]'`"
        )


def export(trained: TrainedModel, folder: Path) -> dict[str, float]:
    """Write generator.onnx and, for a conditional model, encoder.onnx.

    Args:
        trained: the model, on the CPU.
        folder: where to write.

    Returns:
        The largest difference between the outputs of onnxruntime and torch, by path.

    Raises:
        Unavailable: a converted network computes something else.
        CannotCreate, WriteFailed: the files cannot be written.
    """
    contents, differences = {}, {}
    for exported in _networks(trained):
        path = folder / f"{exported.name}.onnx"
        contents[path] = _convert(exported, trained)
        difference = differences[str(path)] = _difference(exported, contents[path])
        if not difference <= TOLERANCE:
            raise Unavailable(
                f"cannot export the {exported.name}: its outputs as ONNX are off by "
                f"{difference:.2g}; try other versions of onnxscript and onnxruntime"
            )
    files.make_folder(folder)
    for path, content in contents.items():
        files.atomic_write(path, content)
    return differences


def _networks(trained: TrainedModel) -> list[ExportedNetwork]:
    model, config, classes = trained.model, trained.metadata.config, trained.metadata.classes
    shape, code_dim = config.data.shape, config.condition.code_dim
    rng = torch.Generator().manual_seed(0)

    def z(count: int) -> tuple[Tensor, ...]:
        return (torch.randn(count, model.z_dim, generator=rng),)

    if not code_dim:
        return [ExportedNetwork("generator", Generator(model), ("z",), "images", z)]

    def z_and_code(count: int) -> tuple[Tensor, ...]:
        return (*z(count), torch.randn(count, code_dim, generator=rng))

    def condition(count: int) -> tuple[Tensor, ...]:
        size = (count, shape.channels, shape.size, shape.size)
        pixels = torch.randint(256, size, generator=rng, dtype=torch.uint8)
        labels = torch.arange(count) % max(len(classes), 1)
        images = Images(pixels, labels, classes)
        if isinstance(config.condition, Text):
            words = (count, config.condition.max_words)
            return (torch.randint(1 + len(trained.metadata.vocabulary), words, generator=rng),)
        return (config.condition.encoder_inputs(images, torch.arange(count)),)

    return [
        ExportedNetwork("generator", Generator(model), ("z", "code"), "images", z_and_code),
        ExportedNetwork("encoder", Encoder(model), ("condition",), "codes", condition),
    ]


def _convert(exported: ExportedNetwork, trained: TrainedModel) -> bytes:
    """The content of an ONNX file that takes batches of any size."""
    batch = torch.export.Dim("batch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns about its own code
        program = torch.onnx.export(
            exported.network.eval(),
            exported.example_inputs(BATCH_SIZES[0]),
            dynamo=True,
            verbose=False,
            input_names=list(exported.input_names),
            output_names=[exported.output_name],
            dynamic_shapes=tuple({0: batch} for _ in exported.input_names),
        )
    assert program is not None
    proto = program.model_proto
    metadata = {"model_sha256": trained.digest, "classes": trained.metadata.classes}
    if trained.metadata.vocabulary:  # word i is the number i + 1, and 0 is none
        metadata["vocabulary"] = trained.metadata.vocabulary
    proto.metadata_props.add(key="genctl", value=json.dumps(metadata))
    content: bytes = proto.SerializeToString()
    return content


@torch.no_grad()
def _difference(exported: ExportedNetwork, content: bytes) -> float:
    """The largest difference between the outputs of onnxruntime and torch."""
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    largest = 0.0
    for count in BATCH_SIZES:
        inputs = exported.example_inputs(count)
        expected = exported.network(*inputs)
        feeds = {name: x.numpy() for name, x in zip(exported.input_names, inputs, strict=True)}
        (output,) = session.run([exported.output_name], feeds)
        if output.shape != tuple(expected.shape):
            return float("inf")
        largest = max(largest, float((torch.from_numpy(output) - expected).abs().max()))
    return largest
