"""Score runs on MNIST by a classifier that shares nothing with genctl's own judge.

    python scripts/second_judge.py --run runs/c300 --weights second_judge.safetensors

Another architecture, optimizer, augmentation and seed, and formulas of its own, so that nothing is
measured in the very eyes that it was made for. It trains in minutes where WEIGHTS are missing. One
sample for each of the 10,000 held-out digits; features are scaled so that the FID of those digits
themselves, against the 60,000 of training, is .025.
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

EPOCHS, BATCH, RATE = 6, 100, 0.05
REAL_FID = 0.025
NEIGHBOURS = 5
SHOWN, EACH = 200, 10  # conditions and samples of each that diversity is taken from


class LeNet(nn.Module):
    """LeCun et al. 1998, wider, with batch normalisation."""

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
    """Stochastic gradients on digits that are pushed about and partly covered."""
    torch.manual_seed(20_221)
    network = LeNet().to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(network.parameters(), RATE, 0.9, weight_decay=5e-4, nesterov=True)
    steps = EPOCHS * len(pixels) // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, steps, pct_start=0.2)
    for epoch in range(EPOCHS):
        for index in torch.randperm(len(pixels)).split(BATCH):
            across, down, x, y = torch.randint(-2, 3, (4,)).tolist()
            batch = pixels[index].roll((down, across), (2, 3))
            if epoch < EPOCHS - 1:  # the last sees whole digits
                batch[..., 14 + 4 * y : 18 + 4 * y, 14 + 4 * x : 18 + 4 * x] = 0
            loss = nn.functional.cross_entropy(network(batch)[1], labels[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        print(f"epoch {epoch + 1} of {EPOCHS}: loss {loss:.3f}", file=sys.stderr, flush=True)
    return network


@torch.inference_mode()
def look(network: LeNet, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Features (N, 84) and classes (N,)."""
    seen = [network(lane) for lane in pixels.split(1000)]
    features = torch.cat([features for features, _ in seen]).double()
    return features, torch.cat([logits for _, logits in seen]).argmax(dim=1)


def fid(one: Tensor, other: Tensor) -> float:
    """|m1 - m2|² + tr(C1 + C2 - 2 (C1 C2)^½)."""
    first, second = torch.cov(one.T), torch.cov(other.T)
    root = torch.linalg.eigvals(first @ second).real.clamp(min=0).sqrt().sum()
    shift = (one.mean(dim=0) - other.mean(dim=0)).square().sum()
    return float(shift + first.trace() + second.trace() - 2 * root)


def neighbours(real: Tensor, fake: Tensor) -> dict[str, float]:
    """Precision, recall and coverage with the balls to the fifth neighbour."""
    between = torch.cdist(real, fake)
    balls, fake_balls = (torch.cdist(own, own).sort().values[:, NEIGHBOURS] for own in (real, fake))
    inside = between < balls[:, None]
    return {
        "precision": float(inside.any(dim=0).double().mean()),
        "recall": float((between < fake_balls).any(dim=1).double().mean()),
        "coverage": float(inside.any(dim=1).double().mean()),
    }


def spread(features: Tensor) -> Tensor:
    """The mean distance between two of them."""
    return torch.pdist(features).mean()


def draw(model: Model, digits: Images, count: int, each: int = 1) -> Tensor:
    """Pixels (count * each, 1, 32, 32), ``each`` for the first digits in turn; every z another.

    ``genctl sample`` would draw every row of a sheet with the same z.
    """
    codes = sampling.encode(model, model.condition.encoder_inputs(digits, torch.arange(count)))
    z = sampling.sample_z(0, 0, count * each, model.z_dim)
    return sampling.generate(model, z, codes.repeat_interleave(each, dim=0))


def judge(weights: Path, known: Images, new: Images) -> LeNet:
    """The network from a file, trained first where there is none."""
    network = LeNet()
    if weights.exists():
        network.load_state_dict(load_file(weights))
    else:
        network = train(known.pixels, known.labels)
        save_file({k: v.contiguous() for k, v in network.state_dict().items()}, weights)
    network.eval()
    right = (look(network, new.pixels)[1] == new.labels).double().mean()
    print(f"it names {right:.2%} of {len(new):,} held-out digits", file=sys.stderr)
    return network


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run", action="append", type=Path, default=[], help="repeatable")
    parser.add_argument("--weights", type=Path, required=True)
    options = parser.parse_args()
    known, new = Mnist().load("train"), Mnist().load("test")
    network = judge(options.weights, known, new)
    training, (real, named) = look(network, known.pixels)[0], look(network, new.pixels)
    scale = (REAL_FID / fid(training, real)) ** 0.5
    some = training[torch.randperm(len(training), generator=torch.Generator().manual_seed(0))]
    some = some[: len(new)]
    spreads = torch.stack([spread(training[known.labels == label][:1000]) for label in range(10)])

    def closeness(features: Tensor) -> dict[str, float]:
        return {"fid": fid(scale * training, scale * features), **neighbours(some, features)}

    agreement = float((named == new.labels).double().mean())
    rows = {"real digits": {**closeness(real), "agreement": agreement}}
    for path in options.run:
        model = model_file.read(path / "model.safetensors", torch.device("cpu")).model
        features, named = look(network, draw(model, new, len(new)))
        found = closeness(features)
        if model.condition.code_dim:
            found["agreement"] = float((named == new.labels).double().mean())
            groups = look(network, draw(model, new, SHOWN, EACH))[0].split(EACH)
            own = torch.stack([spread(group) for group in groups])
            found["diversity"] = float((own / spreads[new.labels[:SHOWN]]).mean())
        rows[str(path)] = found
    for name, found in rows.items():
        print(json.dumps({"run": name} | {key: round(value, 4) for key, value in found.items()}))


if __name__ == "__main__":
    main()
