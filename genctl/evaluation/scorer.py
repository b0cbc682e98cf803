"""A cheap score for use during training."""

from __future__ import annotations

from genctl.data.base import Images
from genctl.evaluation.agreement import agreement
from genctl.evaluation.drawn import asks_for_a_class, choose, draw
from genctl.evaluation.judge import Judge
from genctl.evaluation.modes import modes
from genctl.evaluation.reference import Reference
from genctl.model import Model


class Scorer:
    """Scores models against the training images, always with the same noise and conditions.

    What is real is measured once. No global randomness is touched, so training goes on as if
    nothing had been measured.

    Args:
        judge: of ``data``: ``judge_of(data, held_out, device, reporter)``.
        data: the training images, on any device.
        held_out: the images that are shown to the encoder.
        n: samples; scores compare for the same n only. At most one for each held-out image.
        seed: of z.
    """

    def __init__(
        self, judge: Judge, data: Images, held_out: Images, n: int = 2000, seed: int = 0
    ) -> None:
        self.judge, self.held_out, self.seed = judge, held_out, seed
        count = min(n, len(held_out), len(data))
        self.index = choose(held_out, count, "test")
        pixels = data.pixels[choose(data, count, "train").to(data.device)]
        self.reference = Reference.of(judge.look(pixels).features, judge.training)
        self.real = self.reference.closeness(judge.look(held_out.pixels[self.index]).features)
        """What real images reach: fid, precision, recall, density, coverage."""

    def score(self, model: Model) -> dict[str, float]:
        """fid, precision, recall, density, coverage; agreement too for a conditional model.

        Modes and kl too for images whose combinations are counted.

        Give it the averaged networks, in evaluation mode: what will be drawn from.
        """
        seen = self.judge.look(draw(model, self.held_out, self.index, self.seed))
        scores = self.reference.closeness(seen.features) | modes(seen.labels, self.held_out)
        if asks_for_a_class(model.condition):
            asked = self.held_out.labels[self.index].cpu()
            scores["agreement"] = agreement(asked, seen.labels)
        return scores
