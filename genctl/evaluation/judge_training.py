"""How a judge is trained, and the classifier of the CAS.

With classes it is a classifier. Without, it learns to recognize each image after a transformation,
among the other images of a batch (``networks.layers.contrastive``). Such features rank generators
as well as those of classifiers or better: Morozov et al. 2021, "On self-supervised image
representations for GAN evaluation".
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from genctl.common.devices import auto_precision, autocast
from genctl.common.reporting import OnProgress
from genctl.common.rng import derive_seed, torch_rng
from genctl.data.base import Images
from genctl.evaluation.judge import JudgeNetwork, classify
from genctl.networks.layers.contrastive import instance_cross_entropy, similarity
from genctl.networks.layers.random_affine import random_affine

SEED = 0
EPOCHS = 7
MIN_IMAGES = 60_000  # to train on, counting repetitions, however small the data set is
BATCH_SIZE = 128
LEARNING_RATE = 4e-3  # the peak, after a tenth of the training
DEGREES, TRANSLATE, SCALE = 12.0, 0.06, 0.12  # of augmentation; the last epoch has half of it
LABEL_SMOOTHING = 0.05
VIEWS = ("move", "second view")
EMBEDDING_DIM = 64  # in which images are recognized; the features come before
RECOGNIZED = 250  # test images among which each is looked for
FEATURE_VARIANCE = 0.25  # about that of unscaled features; any constant would do
SCALE_IMAGES = 10_000  # from which the variance is estimated


def train_classifier(images: Images, device: torch.device, on_progress: OnProgress) -> JudgeNetwork:
    """Train a classifier of labelled images; the same images always give the same weights."""

    def loss(network: JudgeNetwork, index: Tensor, step: int, strength: float) -> Tensor:
        batch = _batch(moved, index, step, strength)
        labels = moved.labels[index]
        with autocast(precision, device):
            _, logits = network(batch)
        return cross_entropy(logits.float(), labels, label_smoothing=LABEL_SMOOTHING)

    moved, precision = images.to(device), auto_precision(device)[0]
    return _train(moved, len(images.classes), loss, on_progress)


def train_self_supervised(
    images: Images, device: torch.device, on_progress: OnProgress
) -> JudgeNetwork:
    """Train a judge of images without labels; the same images always give the same weights."""

    def loss(network: JudgeNetwork, index: Tensor, step: int, strength: float) -> Tensor:
        views = [_batch(moved, index, step, strength, name) for name in VIEWS]
        with autocast(precision, device):
            _, embeddings = network(torch.cat(views))
        return instance_cross_entropy(*embeddings.chunk(2))

    moved, precision = images.to(device), auto_precision(device)[0]
    return _train(moved, EMBEDDING_DIM, loss, on_progress)


def _train(
    images: Images,
    num_outputs: int,
    loss_of: Callable[[JudgeNetwork, Tensor, int, float], Tensor],
    on_progress: OnProgress,
) -> JudgeNetwork:
    """Train a network from the loss of the images at some indices in a step."""
    device = images.device
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(SEED, "judge"))
        network = JudgeNetwork(images.shape, num_outputs)
    network.to(device).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(
        network.parameters(), LEARNING_RATE, betas=(0.9, 0.99), weight_decay=0.02, fused=True
    )
    steps = max(EPOCHS * len(images), MIN_IMAGES) // BATCH_SIZE
    order = lru_cache(maxsize=1)(lambda epoch: _order(images, epoch))
    for step in range(steps):
        share = step / steps
        rate = LEARNING_RATE * min((share + 0.001) / 0.1, (1 - share) / 0.9)
        optimizer.param_groups[0]["lr"] = rate
        epoch, number = divmod(step, max(len(images) // BATCH_SIZE, 1))
        index = order(epoch)[number * BATCH_SIZE : (number + 1) * BATCH_SIZE]
        loss = loss_of(network, index, step, 0.5 if share > 1 - 1 / EPOCHS else 1.0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        on_progress(share)
    network.eval().requires_grad_(False)
    _set_scale(network, images)
    on_progress(1.0)
    return network


def accuracy(network: JudgeNetwork, images: Images) -> float:
    """The share of images that the classifier assigns to their class."""
    predicted = classify(network, images.pixels).labels
    return float((predicted == images.labels.cpu()).double().mean())


@torch.inference_mode()
def recognition(network: JudgeNetwork, images: Images) -> float:
    """The share of images that are nearest to themselves after a transformation, of up to 250."""
    images = images.to(network.scale.device)
    index = torch.arange(min(len(images), RECOGNIZED), device=images.device)
    views = [images.floats(index), _batch(images, index, 0, 1.0, "recognition")]
    first, second = (network(view)[1] for view in views)
    nearest = similarity(first, second).argmax(dim=1)
    return float((nearest == index).double().mean())


def _order(images: Images, epoch: int) -> Tensor:
    """The indices of all images in the order of an epoch, on their device."""
    order = torch.randperm(len(images), generator=torch_rng(SEED, "judge", "order", epoch))
    return order.to(images.device)


def _batch(images: Images, index: Tensor, step: int, strength: float, view: str = "move") -> Tensor:
    """The images at ``index``, augmented with the random numbers of ``step`` for ``view``."""
    rng = torch_rng(SEED, "judge", view, step)
    batch = images.floats(index)
    if images.shape.channels == 3:  # photographs may be mirrored; digits may not
        flip = torch.rand(len(index), 1, 1, 1, generator=rng).to(images.device) < 0.5
        batch = torch.where(flip, batch.flip(3), batch)
    uniform = torch.rand(4, len(batch), generator=rng).T.to(images.device)
    return random_affine(batch, DEGREES * strength, TRANSLATE * strength, SCALE * strength, uniform)


def _set_scale(network: JudgeNetwork, images: Images) -> None:
    """Scale the features so that their mean variance is ``FEATURE_VARIANCE``."""
    variance = classify(network, images.pixels[:SCALE_IMAGES]).features.var(dim=0).mean()
    network.scale.copy_((FEATURE_VARIANCE / variance).sqrt())
