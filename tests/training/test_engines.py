"""However a step is executed, the weights are those of eager steps.

Recorded steps are replayed here from a trace, which repeats every operation on the same memory, as
a CUDA graph does: whatever changes from step to step but hides in Python would stay as it was.
"""

from collections.abc import Callable

import pytest
import torch
from genctl.training.engines.compiled import Compiled, _adam
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx

from genctl.common.errors import Unavailable
from genctl.common.registry import kinds
from genctl.config.config import Config
from genctl.model import Model
from genctl.training.engines import recorded
from genctl.training.engines.base import Engine
from genctl.training.engines.choice import Cautious, auto_engine, choose_engine
from genctl.training.engines.cuda_graph import Graph
from genctl.training.engines.eager import Eager
from genctl.training.engines.recorded import CannotRecord, Recorded, Replay
from genctl.training.process_group import ProcessGroup
from genctl.training.state import State
from genctl.training.step import Position, Step, Terms
from tests.support.tiny import images, tiny

OBJECTIVES = tuple(kinds("objectives"))
CONDITIONS = {
    "none": ("condition.kind=none", "objective.critic_cross_entropy_weight=1"),
    "label": ("condition.kind=label", "condition.code_dim=4"),
    "image": ("condition.code_dim=4",),
    "instance": ("condition.code_dim=4", "condition.pairing=instance"),
}
CHANGING = ("optimizer.warmup_images=100", "optimizer.schedule=cosine", "training.ema_rampup=0.1")
"""Rates and averages that are others in every step."""


def step_of(config: Config, precision: str = "fp32") -> Step:
    state = State(config, Model(config, 4))
    state.model.train()
    return Step(config, state, images(), precision)


def take(engine: Engine, first: int, last: int, steps: int = 50) -> list[Terms]:
    size = engine.step.images
    moments = [Position(k, k * size, k / steps) for k in range(first, last)]
    return [Terms(terms.names, terms.values.clone()) for terms in (engine.take(m) for m in moments)]


def learned(engine: Engine) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in engine.step.state.learned().items()}


class Traced(Recorded):
    """Replays every operation of a trace in memory that stays where it is."""

    def record(self, work: Callable[[], Terms]) -> tuple[Terms, Replay]:
        found: list[Terms] = []

        def values() -> Tensor:
            found.append(work())
            return found[-1].values

        program = make_fx(values)()

        @torch.no_grad()
        def replay() -> Terms:
            return Terms(found[0].names, program())

        return Terms(found[0].names, found[0].values.clone()), replay


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_recorded_step_is_an_eager_one(objective: str, condition: str) -> None:
    more = ("objective.critic_steps=2",) if objective == "wgan_gp" else ()
    config = tiny(f"objective.kind={objective}", *more, *CONDITIONS[condition], *CHANGING)
    eager, traced = Eager(step_of(config)), Traced(step_of(config))
    for one, other in zip(take(eager, 0, 20), take(traced, 0, 20), strict=True):
        assert one.names == other.names
        torch.testing.assert_close(other.values, one.values, rtol=0, atol=0)
    assert len(traced.replays) == len({eager.step.variant(Position(k, 0, 0.0)) for k in range(20)})
    now, then = learned(eager), learned(traced)
    assert [name for name in now if not torch.equal(now[name], then[name])] == []


@pytest.mark.parametrize("hidden", ["progress", "draws"])
def test_what_hides_in_python_would_be_noticed(
    hidden: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny("objective.kind=r3gan", *CONDITIONS["label"], *CHANGING)
    eager, traced = Eager(step_of(config)), Traced(step_of(config))
    take(eager, 0, 20)
    take(traced, 0, 10)
    if hidden == "progress":
        monkeypatch.setattr(Step, "_schedule", lambda self, moment: torch.full((5,), 0.1))
    else:
        monkeypatch.setattr("genctl.data.batch_noise.BatchNoise.move_on", lambda self, number: None)
    take(traced, 10, 20)
    now, then = learned(eager), learned(traced)
    assert [name for name in now if not torch.equal(now[name], then[name])]


def test_a_recorded_step_in_bfloat16_is_an_eager_one() -> None:
    config = tiny("objective.kind=relativistic", *CONDITIONS["image"], *CHANGING)
    eager, traced = (kind(step_of(config, "bf16")) for kind in (Eager, Traced))
    for one, other in zip(take(eager, 0, 12), take(traced, 0, 12), strict=True):
        assert torch.equal(one.values, other.values)


def test_a_run_that_is_resumed_with_recorded_steps_goes_on_rightly() -> None:
    config = tiny("objective.kind=hinge", *CONDITIONS["label"], *CHANGING)
    eager = Eager(step_of(config))
    take(eager, 0, 12)
    again = step_of(config)
    take(Traced(again), 0, 6)
    take(Traced(again), 6, 12)
    now, then = learned(eager), again.state.learned()
    assert [name for name in now if not torch.equal(now[name], then[name])] == []


@pytest.mark.slow
@pytest.mark.parametrize("objective", ["r3gan", "relativistic", "wgan_gp", "vae"])
def test_a_compiled_step_is_an_eager_one(objective: str) -> None:
    config = tiny(f"objective.kind={objective}", *CONDITIONS["image"], *CHANGING)
    eager, compiled = Eager(step_of(config)), Compiled(step_of(config))
    for one, other in zip(take(eager, 0, 50), take(compiled, 0, 50), strict=True):
        torch.testing.assert_close(other.values, one.values, rtol=2e-3, atol=2e-3)


def test_adam_that_can_be_fused_is_the_fused_one() -> None:
    random = torch.Generator().manual_seed(0)
    sides = []
    for update in (torch._fused_adam_, _adam):
        random.manual_seed(0)
        weights = [torch.randn(3, 4, generator=random), torch.randn(5, generator=random)]
        means, squares = ([torch.zeros_like(w) for w in weights] for _ in range(2))
        steps = [torch.zeros(()) for _ in weights]
        for number in range(1, 20):
            for step in steps:
                step += 1
            gradients = [torch.randn(w.shape, generator=random) for w in weights]
            update(weights, gradients, means, squares, [], steps, lr=torch.tensor(0.01 * number),
                   beta1=0.5, beta2=0.9, weight_decay=0.0, eps=1e-8, amsgrad=False,
                   maximize=False)  # fmt: skip
        sides.append([*weights, *means, *squares])
    for fused, plain in zip(*sides, strict=True):
        torch.testing.assert_close(plain, fused)


# -- choosing -------------------------------------------------------------------------------------


class Reporter:
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def info(self, text: str) -> None: ...
    def progress(self, doing: str, share: float) -> None: ...

    def warn(self, text: str) -> None:
        self.warnings.append(text)


def test_auto_suits_the_device() -> None:
    assert auto_engine(torch.device("cpu"))[0] == "eager"
    assert auto_engine(torch.device("cuda", 0))[0] == "graph"
    assert isinstance(choose_engine("auto", step_of(tiny()), Reporter()), Eager)


def test_a_graph_needs_a_cuda_device() -> None:
    with pytest.raises(Unavailable, match=r"training\.engine: graph needs a CUDA device.*use auto"):
        choose_engine("graph", step_of(tiny()), Reporter())


@pytest.mark.parametrize("wish", ["graph", "compiled"])
def test_several_processes_are_served_eagerly(wish: str) -> None:
    step = step_of(tiny())
    step.peers = ProcessGroup(0, 2)
    assert isinstance(choose_engine("auto", step, Reporter()), Eager)
    with pytest.raises(Unavailable, match=rf"{wish} serves one process, this run has 2; use eager"):
        choose_engine(wish, step, Reporter())


def test_compiling_needs_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(choose_engine("compiled", step_of(tiny()), Reporter()), Compiled)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(Unavailable, match=r"needs the compiler g\+\+"):
        choose_engine("compiled", step_of(tiny()), Reporter())


def test_where_recording_fails_a_run_goes_on_eagerly_and_says_why() -> None:
    class Broken(Recorded):
        def record(self, work: Callable[[], Terms]) -> tuple[Terms, Replay]:
            raise CannotRecord(
                "training.engine: cuda_graph cannot record this step: no luck; use eager"
            )

    config, reporter = tiny(), Reporter()
    eager, cautious = Eager(step_of(config)), Cautious(Broken(step_of(config)), reporter)
    take(eager, 0, 8)
    take(cautious, 0, 8)
    now, then = learned(eager), learned(cautious)
    assert [name for name in now if not torch.equal(now[name], then[name])] == []
    (told,) = reporter.warnings
    assert "no luck" in told


# -- the CUDA graph, without a CUDA device --------------------------------------------------------


def test_a_graph_is_recorded_without_computing_and_replayed_once_for_each_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[str] = []

    class Block:
        def __init__(self, graph: object, pool: object, stream: object) -> None:
            assert (pool, stream) == ("pool", "stream")

        def __enter__(self) -> None:
            calls.append("begin")

        def __exit__(self, *_: object) -> None:
            calls.append("end")

    class Recording:
        def replay(self) -> None:
            calls.append("replay")

    monkeypatch.setattr(torch.cuda, "Stream", lambda device: "stream")
    monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: "pool")
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Recording)
    monkeypatch.setattr(torch.cuda, "graph", Block)
    config = tiny(*CONDITIONS["label"], "objective.gamma=0")
    graph = Graph(step_of(config))
    monkeypatch.setattr(
        graph.step, "compute", lambda variant, inputs: calls.append("compute") or Terms((), None)
    )
    take_two = recorded.WARM_UP + 2
    for k in range(take_two):
        graph.take(Position(k, 8 * k, 0.0))
    recording = ["begin", "compute", "end", "replay"]
    assert calls == ["compute"] * recorded.WARM_UP + recording + ["replay"]
