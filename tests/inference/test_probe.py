"""Probes on codes whose classes are known to be separable, or not."""

import torch

from genctl.inference.probe import cross_validated_probe, linear_probe, nearest_neighbours


def test_cross_validation_separates_only_what_is_separable() -> None:
    labels = torch.tensor([0, 1] * 50)
    rng = torch.Generator().manual_seed(0)
    noise = torch.randn(100, 4, generator=rng)
    assert cross_validated_probe(noise * 0.1 + labels[:, None], labels) == 1.0
    assert (cross_validated_probe(noise, labels) or 0) < 0.75


def test_cross_validation_uses_the_probe_of_evaluate() -> None:
    """Images of each class in turn, so that fold k of 5 holds the k-th fifth of the images."""
    labels = torch.tensor([0, 1, 2]).repeat(50)
    codes = torch.randn(150, 4, generator=torch.Generator().manual_seed(0))
    codes[:, 0] += labels
    folds = torch.arange(150).chunk(5)
    accuracies = []
    for number, test in enumerate(folds):
        train = torch.cat([fold for other, fold in enumerate(folds) if other != number])
        accuracies.append(linear_probe(codes[train], labels[train], codes[test], labels[test]))
    assert cross_validated_probe(codes, labels) == sum(accuracies) / 5


def test_too_few_labels_have_no_cross_validation() -> None:
    codes = torch.randn(8, 4)
    for labels in ([0] * 8, [0, 1, 1, 1, 1, 1, 1, 1]):
        assert cross_validated_probe(codes, torch.tensor(labels)) is None


def test_fewer_codes_than_neighbours_can_vote() -> None:
    codes, labels = torch.tensor([[0.0], [0.1], [5.0]]), torch.tensor([1, 1, 0])
    assert nearest_neighbours(codes, labels, torch.tensor([[4.0]]), torch.tensor([1])) == 1.0
