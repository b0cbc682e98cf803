"""Random transformations of all images that the critic sees, real and generated alike.

With few pictures a critic learns them by heart, and its gradients mean nothing any more.
Transformations that can be differentiated teach it to look at what they leave: Zhao et al. 2020,
"Differentiable augmentation for data-efficient GAN training", whose formulas these are. How many
images are transformed adapts to the critic: Karras et al. 2020, "Training generative adversarial
networks with limited data" (ADA).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, PositiveInt, field_validator

from genctl.common.settings import Settings

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from genctl.data.batch_noise import BatchNoise

FEW_PICTURES = 10_000
"""With fewer training pictures, ``auto`` augments."""
MAX_ADAPTIVE = 0.8
"""Karras et al. 2020, section 2.2: below this, generated images do not look transformed."""
AVERAGED_STEPS = 4
"""About how many steps the critic's signs are averaged over, before they move the strength."""


REAL_SIGN = "critic/real_sign"
"""The mean sign of the critic's certainty of real images: Karras et al. 2020, equation 1."""


class CriticAugment(Settings):
    """Differentiable augmentation of real and generated images, for few pictures."""

    strength: Literal["auto", "adaptive"] | Annotated[float, Field(ge=0, le=1)] = "auto"
    """Probability of each transformation, 0 to 1; 0 turns them off. `adaptive` starts with 0 and
    rises while the critic is too sure of real images; `auto` is `adaptive` for fewer than 10,000
    training pictures, else 0."""
    target: float = Field(default=0.4, gt=0, lt=1)
    """Mean sign of the critic's outputs on real images that `adaptive` aims at: 0 is no idea, 1 is
    always sure. Lower is stronger."""
    ramp_images: PositiveInt = 25_000
    """Images in which an adaptive strength can rise from 0 to 1."""
    color: bool = True
    """Change brightness; of coloured images also saturation and contrast."""
    translate: float = Field(default=0.125, ge=0, le=0.5)
    """Largest shift along either axis, as a fraction of the side."""
    cutout: float = Field(default=0.5, ge=0, le=1)
    """Side of the square that is cut out, as a fraction of the side."""

    @field_validator("strength", mode="before")
    @classmethod
    def _word_or_probability(cls, value: Any) -> Any:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if value not in ("auto", "adaptive") and not (is_number and 0 <= value <= 1):
            found = repr(value) if isinstance(value, str) else value
            raise ValueError(f"must be auto, adaptive, or a number from 0 to 1; found {found}")
        return value

    def start(self, num_images: int, device: torch.device) -> AugmentState | None:
        """The state at the beginning of a run on so many training pictures; None without effect."""
        strength = self.strength
        if strength == "auto":
            strength = "adaptive" if num_images < FEW_PICTURES else 0.0
        if not strength:
            return None
        return AugmentState(self, strength, device)

    def transform(
        self, images: Tensor, strength: Tensor, noise: BatchNoise, purpose: str
    ) -> Tensor:
        """Transform images (n * B, C, H, W) in about [-1, 1]; the n parts of a batch alike.

        Args:
            images: n batches of B images. That image i of each is transformed alike leaves to the
                critic the comparison of the two.
            strength: () in [0, 1], the probability of each transformation.
            noise: the random numbers of the batch.
            purpose: of these random numbers.
        """
        numbers = noise.uniform(purpose, 12)
        numbers = numbers.repeat(len(images) // len(numbers), 1)[..., None, None, None]
        chosen, amounts = numbers[:, :5] < strength, numbers[:, 5:]
        if self.color:
            images = brighten(images, (amounts[:, 0] - 0.5) * chosen[:, 0])
        if self.color and images.shape[1] > 1:
            images = saturate(images, (amounts[:, 1] * 2).where(chosen[:, 1], 1))
            images = contrast(images, (amounts[:, 2] + 0.5).where(chosen[:, 2], 1))
        size = images.shape[2]
        shift = int(self.translate * size + 0.5)
        if shift:
            steps = (amounts[:, 3:5] * (2 * shift + 1)).floor() - shift
            down, across = (steps * chosen[:, 3:4]).unbind(1)
            images = translate(images, down, across)
        side = int(self.cutout * size + 0.5)
        if side:
            centers = (amounts[:, 5:7] * (size + 1 - side % 2)).floor()
            images = cut_out(images, centers[:, 0], centers[:, 1], side, chosen[:, 4])
        return images


def brighten(images: Tensor, amount: Tensor) -> Tensor:
    """Add an amount (B, 1, 1, 1) to all pixels of (B, C, H, W)."""
    return images + amount


def saturate(images: Tensor, factor: Tensor) -> Tensor:
    """Scale by (B, 1, 1, 1) how each pixel's channels differ from their mean."""
    grey = images.mean(dim=1, keepdim=True)
    return grey + (images - grey) * factor


def contrast(images: Tensor, factor: Tensor) -> Tensor:
    """Scale by (B, 1, 1, 1) how pixels and channels differ from the mean of their image."""
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    return mean + (images - mean) * factor


def translate(images: Tensor, down: Tensor, across: Tensor) -> Tensor:
    """Shift each image (C, H, H) by whole pixels (B, 1, 1, 1); zeros come in from outside.

    A product with matrices of zeros and ones: indexing, which the paper's code does, has gradients
    that a GPU sums up in an order left to chance.
    """
    import torch

    size = images.shape[2]
    position = torch.arange(size, device=images.device)
    offset = position[:, None] - position  # (H, H): row minus column
    rows = (offset == down).to(images.dtype)  # (B, 1, H, H): row i comes from row i - down
    columns = (offset == -across).to(images.dtype)
    return rows @ images @ columns


def cut_out(images: Tensor, row: Tensor, column: Tensor, side: int, chosen: Tensor) -> Tensor:
    """Set to zero the square with the given center (B, 1, 1, 1) of the chosen images."""
    import torch

    position = torch.arange(images.shape[2], device=images.device)

    def inside(center: Tensor) -> Tensor:
        first = center - side // 2
        return (position >= first) & (position < first + side)

    square = inside(row).transpose(2, 3) & inside(column) & chosen
    return images * ~square


class AugmentState:
    """The strength of a run's augmentation, on the device, and what it adapts to.

    Args:
        settings: the settings.
        strength: of the beginning, 0 to 1; or ``adaptive``.
        device: of the images.
    """

    def __init__(
        self, settings: CriticAugment, strength: str | float, device: torch.device
    ) -> None:
        import torch

        self.settings, self.adaptive = settings, strength == "adaptive"
        first = 0.0 if self.adaptive else float(strength)
        self.strength = torch.tensor(first, device=device)  # () in [0, 1]
        self.sign = torch.zeros((), device=device)  # the running mean of the critic's signs

    def tensors(self) -> dict[str, Tensor]:
        """All that a checkpoint needs, by name."""
        return {"strength": self.strength, "sign": self.sign}

    def adapt(self, sign: Tensor, images: int) -> None:
        """Move the strength by the sign of what the critic is too sure, or not sure enough, of.

        Args:
            sign: () in [-1, 1], the mean sign of the critic's outputs on real images in this step.
            images: of this step.
        """
        self.sign.lerp_(sign, 1 / AVERAGED_STEPS)
        if self.adaptive:
            change = images / self.settings.ramp_images
            self.strength += (self.sign - self.settings.target).sign() * change
            self.strength.clamp_(0, MAX_ADAPTIVE)
