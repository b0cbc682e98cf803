"""Score runs on MNIST by a classifier that shares nothing with genctl's judge.

    python scripts/second_judge.py --run runs/c300 --weights second_judge.safetensors

Architecture, optimizer, augmentation, seed and formulas are all different, so that a run tuned on
the judge's scores is measured independently. The classifier is trained in minutes if WEIGHTS do not
exist. One sample for each of the 10,000 test digits; features are scaled so that the FID of the
test digits themselves, against the 60,000 training digits, is .025.
"""

import argparse
import json
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from genctl.data.base import Images
from genctl.data.torchvision_sets import Mnist
from genctl.inference import sampling
from genctl.model import Model
from genctl.runs import model_file

EPOCHS, BATCH_SIZE, LEARNING_RATE = 6, 100, 0.05
REAL_FID = 0.025
NEIGHBOURS = 5
CONDITIONS, SAMPLES_PER_CONDITION = 200, 10  # for diversity


class LeNet(nn.Module):
    """LeCun et al. 1998, wider, with batch normalization."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 20, 5), nn.MaxPool2d(2), nn.BatchNorm2d(20), nn.GELU(),
            nn.Conv2d(20, 50, 5), nn.MaxPool2d(2), nn.BatchNorm2d(50), nn.GELU(),
            nn.Flatten(), nn.Linear(800, 84), nn.BatchNorm1d(84), nn.Tanh(),
        )  # fmt: skip
        self.head = nn.Linear(84, 10)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Pixels (N, 1, 32, 32) uint8 -> features (N, 84), logits (N, 10)."""
        digits = pixels[..., 2:-2, 2:-2].float() / 255
        features = self.body(digits.contiguous(memory_format=torch.channels_last))
        return features, self.head(features)


def train(pixels: Tensor, labels: Tensor) -> LeNet:
    """SGD on digits that are shifted and partly erased."""
    torch.manual_seed(20_221)
    network = LeNet().to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(
        network.parameters(), LEARNING_RATE, 0.9, weight_decay=5e-4, nesterov=True
    )
    steps = EPOCHS * len(pixels) // BATCH_SIZE
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, steps, pct_start=0.2)
    for epoch in range(EPOCHS):
        for index in torch.randperm(len(pixels)).split(BATCH_SIZE):
            across, down, x, y = torch.randint(-2, 3, (4,)).tolist()
            batch = pixels[index].roll((down, across), (2, 3))
            if epoch < EPOCHS - 1:  # nothing is erased in the last epoch
                batch[..., 14 + 4 * y : 18 + 4 * y, 14 + 4 * x : 18 + 4 * x] = 0
            loss = nn.functional.cross_entropy(network(batch)[1], labels[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        print(f"epoch {epoch + 1} of {EPOCHS}: loss {loss:.3f}", file=sys.stderr, flush=True)
    return network


@torch.inference_mode()
def classify(network: LeNet, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Features (N, 84) float64 and predicted classes (N,)."""
    outputs = [network(batch) for batch in pixels.split(1000)]
    features = torch.cat([features for features, _ in outputs]).double()
    return features, torch.cat([logits for _, logits in outputs]).argmax(dim=1)


def fid(first: Tensor, second: Tensor) -> float:
    """|m1 - m2|² + tr(C1 + C2 - 2 (C1 C2)^½) of features (N, d)."""
    c1, c2 = torch.cov(first.T), torch.cov(second.T)
    root = torch.linalg.eigvals(c1 @ c2).real.clamp(min=0).sqrt().sum()
    shift = (first.mean(dim=0) - second.mean(dim=0)).square().sum()
    return float(shift + c1.trace() + c2.trace() - 2 * root)


def neighbour_scores(real: Tensor, fake: Tensor) -> dict[str, float]:
    """Precision, recall and coverage with the balls to the fifth neighbour."""
    between = torch.cdist(real, fake)
    radii, fake_radii = (torch.cdist(x, x).sort().values[:, NEIGHBOURS] for x in (real, fake))
    inside = between < radii[:, None]
    return {
        "precision": float(inside.any(dim=0).double().mean()),
        "recall": float((between < fake_radii).any(dim=1).double().mean()),
        "coverage": float(inside.any(dim=1).double().mean()),
    }


def mean_distance(features: Tensor) -> Tensor:
    """The mean distance between two different rows of features (N, d)."""
    return torch.pdist(features).mean()


def sample(model: Model, digits: Images, count: int, per_image: int = 1) -> Tensor:
    """Pixels (count * per_image, 1, 32, 32) for the first ``count`` digits, each with its own z.

    ``genctl sample`` would use the same z for every condition.
    """
    codes = sampling.encode(model, model.condition.encoder_inputs(digits, torch.arange(count)))
    z = sampling.sample_z(0, 0, count * per_image, model.z_dim)
    return sampling.generate(model, z, codes.repeat_interleave(per_image, dim=0))


def load_classifier(weights: Path, train_images: Images, test_images: Images) -> LeNet:
    """Read the classifier, or train it and write its weights."""
    network = LeNet()
    if weights.exists():
        network.load_state_dict(load_file(weights))
    else:
        network = train(train_images.pixels, train_images.labels)
        save_file({k: v.contiguous() for k, v in network.state_dict().items()}, weights)
    network.eval()
    correct = classify(network, test_images.pixels)[1] == test_images.labels
    print(f"accuracy: {correct.double().mean():.2%} of {len(correct):,}", file=sys.stderr)
    return network


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run", action="append", type=Path, default=[], help="repeatable")
    parser.add_argument("--weights", type=Path, required=True)
    options = parser.parse_args()
    train_images, test_images = Mnist().load("train"), Mnist().load("test")
    labels = test_images.labels
    network = load_classifier(options.weights, train_images, test_images)
    training = classify(network, train_images.pixels)[0]
    real, predicted = classify(network, test_images.pixels)
    scale = (REAL_FID / fid(training, real)) ** 0.5
    order = torch.randperm(len(training), generator=torch.Generator().manual_seed(0))
    subset = training[order[: len(test_images)]]
    by_class = [training[train_images.labels == label][:1000] for label in range(10)]
    spreads = torch.stack([mean_distance(features) for features in by_class])

    def compare(features: Tensor) -> dict[str, float]:
        distance = fid(scale * training, scale * features)
        return {"fid": distance, **neighbour_scores(subset, features)}

    agreement = float((predicted == labels).double().mean())
    rows = {"real digits": {**compare(real), "agreement": agreement}}
    for path in options.run:
        model = model_file.read(path / "model.safetensors", torch.device("cpu")).model
        features, predicted = classify(network, sample(model, test_images, len(test_images)))
        scores = compare(features)
        if model.condition.code_dim:
            scores["agreement"] = float((predicted == labels).double().mean())
            pixels = sample(model, test_images, CONDITIONS, SAMPLES_PER_CONDITION)
            groups = classify(network, pixels)[0].split(SAMPLES_PER_CONDITION)
            own = torch.stack([mean_distance(group) for group in groups])
            scores["diversity"] = float((own / spreads[labels[:CONDITIONS]]).mean())
        rows[str(path)] = scores
    for name, scores in rows.items():
        print(json.dumps({"run": name} | {key: round(value, 4) for key, value in scores.items()}))


if __name__ == "__main__":
    main()
