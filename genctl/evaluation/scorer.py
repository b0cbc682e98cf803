"""The scores of a run while it trains."""

from __future__ import annotations

from genctl.data.base import Images
from genctl.evaluation.judge import Judge
from genctl.evaluation.judge_cache import has_classes
from genctl.evaluation.protocol import is_conditional, random_indices, sample
from genctl.evaluation.real_reference import FeatureStatistics, Scores
from genctl.evaluation.scores import agreement, mode_scores
from genctl.model import Model


class Scorer:
    """Compares samples with the training images, always with the same noise and conditions.

    The real images are measured once. Global random state is not touched, so training continues
    with the same bits as without scores.

    Args:
        judge: the judge of ``train_images``.
        train_images: what samples are compared with, on any device.
        test_images: the conditions.
        num_samples: at most as many as there are images; scores compare for the same number only.
        seed: of z.
    """

    def __init__(
        self,
        judge: Judge,
        train_images: Images,
        test_images: Images,
        num_samples: int = 2000,
        seed: int = 0,
    ) -> None:
        self.judge, self.test_images, self.seed = judge, test_images, seed
        count = min(num_samples, len(test_images), len(train_images))
        self.index = random_indices(test_images, count, "test")
        index = random_indices(train_images, count, "train").to(train_images.device)
        features = judge.classify(train_images.pixels[index]).features
        self.statistics = FeatureStatistics.of(features, judge.training)
        test = judge.classify(test_images.pixels[self.index])
        self.real_scores = self.statistics.compare(test.features)
        self.real_scores |= mode_scores(test.labels, test_images)
        if has_classes(test_images):
            expected = test_images.labels[self.index].cpu()
            self.real_scores["agreement"] = agreement(expected, test.labels)
        """What test images reach: fid, precision, recall, density, coverage, agreement; modes and
        kl of stacked images."""

    def score(self, model: Model) -> Scores:
        """Score the EMA of a model, in evaluation mode.

        Returns:
            fid, precision, recall, density, coverage; agreement of a conditional model; modes and
            kl of stacked images.
        """
        output = self.judge.classify(sample(model, self.test_images, self.index, self.seed))
        scores = self.statistics.compare(output.features)
        scores |= mode_scores(output.labels, self.test_images)
        if is_conditional(model.condition) and has_classes(self.test_images):
            expected = self.test_images.labels[self.index].cpu()
            scores["agreement"] = agreement(expected, output.labels)
        return scores
