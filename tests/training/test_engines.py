"""Every engine takes the steps that the eager engine takes, to the bit.

CUDA graphs are replaced by traces here. Replaying a trace repeats every operation on the same
memory, as a graph does: whatever changes from step to step but is hidden in Python would stay.
"""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx

from genctl.common.errors import Unavailable
from genctl.common.registry import kinds
from genctl.config.config import Config
from genctl.data.batch_noise import BatchNoise
from genctl.training.engines.base import Engine
from genctl.training.engines.choice import FallbackEngine, auto_engine, choose_engine
from genctl.training.engines.cuda_graph import CudaGraph
from genctl.training.engines.eager import Eager
from genctl.training.engines.proof import _positions
from genctl.training.engines.recorded import CannotRecord, Recorded, Replay
from genctl.training.process_group import ProcessGroup
from genctl.training.step import Position, Step, StepLosses
from tests.support.recorder import Recorder
from tests.support.tiny import tiny
from tests.training.builders import (
    AUGMENT,
    CONDITIONS,
    CRITICS,
    FAMILIES,
    build_step,
    differing,
    positions,
)

CHANGING = ("optimizer.warmup_images=100", "optimizer.schedule=cosine", "training.ema_rampup=0.1")
"""Learning rates and EMA weights that differ in every step."""


class Traced(Recorded):
    """Records a trace of all operations on tensors, and replays it on the same memory."""

    kind = "cuda_graph"

    def record(self, compute: Callable[[], StepLosses]) -> tuple[StepLosses, Replay]:
        losses: list[StepLosses] = []

        def values() -> Tensor:
            losses.append(compute())
            return losses[-1].values

        program = make_fx(values)()
        names = losses[0].names

        @torch.no_grad()
        def replay() -> StepLosses:
            return StepLosses(names, program())

        return StepLosses(names, losses[0].values.clone()), replay


class CannotBeRecorded(Recorded):
    """Fails like a CUDA graph whose step does something that cannot be recorded."""

    kind = "cuda_graph"

    def record(self, compute: Callable[[], StepLosses]) -> tuple[StepLosses, Replay]:
        raise CannotRecord("cuda_graph", "reason")


class OutOfMemoryEngine(Engine):
    """Fails like any engine whose memory is full."""

    def run(self, position: Position) -> StepLosses:
        raise torch.OutOfMemoryError("CUDA out of memory")


def run(engine: Engine, first: int, last: int) -> list[StepLosses]:
    return [
        StepLosses(losses.names, losses.values.clone())
        for losses in map(engine.run, positions(engine.step, first, last))
    ]


def tensors(engine: Engine) -> dict[str, Tensor]:
    return engine.step.state.tensors()


@pytest.mark.parametrize("condition", CONDITIONS)
@pytest.mark.parametrize("objective", kinds("objectives"))
def test_replayed_steps_are_eager_steps(objective: str, condition: str) -> None:
    repeats = ("objective.critic_steps=2",) if objective == "wgan_gp" else ()
    no_critic = objective in ("vae", "meanflow") or condition == "none"
    classes = () if no_critic else ("objective.critic_cross_entropy_weight=1",)
    settings = (*repeats, *classes, *CONDITIONS[condition], *CHANGING)
    family = FAMILIES.get(objective, "dcgan")
    require_equal_replays(tiny(f"objective.kind={objective}", *settings, family=family))


@pytest.mark.parametrize("form", ["split", "improved"])
def test_replayed_steps_of_every_form_of_meanflow_are_eager_steps(form: str) -> None:
    settings = ("objective.kind=meanflow", f"objective.form={form}", "objective.guidance=2")
    require_equal_replays(tiny(*settings, *CONDITIONS["image"], *CHANGING, family="unet"))


def require_equal_replays(config: Config) -> None:
    """Twenty replayed steps change the weights as twenty eager ones do, to the bit."""
    eager, traced = Eager(build_step(config)), Traced(build_step(config))
    for expected, actual in zip(run(eager, 0, 20), run(traced, 0, 20), strict=True):
        assert actual.names == expected.names
        assert torch.equal(actual.values, expected.values)
    variants = {eager.step.variant(position) for position in positions(eager.step, 0, 20)}
    assert traced.replays.keys() == variants
    assert differing(tensors(eager), tensors(traced)) == []


@pytest.mark.parametrize("objective", CRITICS)
def test_replayed_steps_with_augmentation_are_eager_steps(objective: str) -> None:
    repeats = ("objective.critic_steps=2",) if objective == "wgan_gp" else ()
    config = tiny(f"objective.kind={objective}", *repeats, *AUGMENT, *CONDITIONS["image"])
    eager, traced = (kind(build_step(config, augment=True)) for kind in (Eager, Traced))
    for expected, actual in zip(run(eager, 0, 20), run(traced, 0, 20), strict=True):
        assert torch.equal(actual.values, expected.values)
    assert differing(tensors(eager), tensors(traced)) == []
    assert 0 < float(tensors(eager)["augment.strength"]) != 0.5


def test_replayed_steps_in_bfloat16_are_eager_steps() -> None:
    config = tiny("objective.kind=relativistic", *CONDITIONS["image"], *CHANGING)
    eager, traced = Eager(build_step(config, "bf16")), Traced(build_step(config, "bf16"))
    for expected, actual in zip(run(eager, 0, 12), run(traced, 0, 12), strict=True):
        assert torch.equal(actual.values, expected.values)
    assert differing(tensors(eager), tensors(traced)) == []


@pytest.mark.parametrize("hidden", ["schedule", "noise"])
def test_inputs_hidden_in_python_would_be_noticed(
    hidden: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny("objective.kind=r3gan", *CONDITIONS["label"], *CHANGING)
    eager, traced = Eager(build_step(config)), Traced(build_step(config))
    run(eager, 0, 20)
    run(traced, 0, 10)
    if hidden == "noise":
        monkeypatch.setattr(BatchNoise, "advance", lambda self, number: None)
    else:
        refill = Step.refill

        def refill_all_but_the_schedule(step: Step, inputs: object, position: Position) -> None:
            refill(step, inputs, Position(position.step, 0, 0.0))  # type: ignore[arg-type]

        monkeypatch.setattr(Step, "refill", refill_all_but_the_schedule)
    run(traced, 10, 20)
    assert differing(tensors(eager), tensors(traced))


def test_a_resumed_run_records_again() -> None:
    config = tiny("objective.kind=hinge", *CONDITIONS["label"], *CHANGING)
    eager, step = Eager(build_step(config)), build_step(config)
    run(eager, 0, 12)
    run(Traced(step), 0, 6)
    run(Traced(step), 6, 12)
    assert differing(tensors(eager), step.state.tensors()) == []


# -- choosing -------------------------------------------------------------------------------------


def test_auto_depends_on_the_device() -> None:
    assert auto_engine(torch.device("cpu"))[0] == "eager"
    assert auto_engine(torch.device("cuda", 0))[0] == "cuda_graph"
    assert isinstance(choose_engine("auto", build_step(tiny()), Recorder()), Eager)


def test_cuda_graph_needs_a_cuda_device() -> None:
    with pytest.raises(Unavailable, match=r"cuda_graph needs a CUDA device.*use auto"):
        choose_engine("cuda_graph", build_step(tiny()), Recorder())


def test_several_processes_train_eagerly() -> None:
    step = build_step(tiny())
    step.group = ProcessGroup(rank=0, size=2)
    assert isinstance(choose_engine("auto", step, Recorder()), Eager)
    with pytest.raises(Unavailable, match=r"needs a single process, this run has 2; use eager"):
        choose_engine("cuda_graph", step, Recorder())


def test_where_recording_fails_the_run_continues_eagerly_with_a_warning() -> None:
    config, reporter = tiny(), Recorder()
    eager = Eager(build_step(config))
    fallback = FallbackEngine(CannotBeRecorded(build_step(config)), reporter)
    run(eager, 0, 8)
    run(fallback, 0, 8)
    assert differing(tensors(eager), tensors(fallback)) == []
    (warning,) = reporter.warnings
    assert warning.startswith("training.engine: cuda_graph does not work here: reason; continuing")


# -- proof ----------------------------------------------------------------------------------------


class Frozen(Recorded):
    """Replays what it recorded, but forgets something: the weights of one role stay as they are."""

    kind = "cuda_graph"

    def __init__(self, step: Step, role: str) -> None:
        super().__init__(step)
        self.role = role

    def record(self, compute: Callable[[], StepLosses]) -> tuple[StepLosses, Replay]:
        weights = [
            tensor
            for name, tensor in self.step.state.tensors().items()
            if name.startswith(self.role)
        ]

        def replay() -> StepLosses:
            before = [tensor.clone() for tensor in weights]
            losses = compute()
            for tensor, value in zip(weights, before, strict=True):
                tensor.copy_(value)
            return losses

        return replay(), replay


def test_an_engine_that_computes_as_eager_is_trusted_and_the_state_is_as_before() -> None:
    config, reporter = tiny("objective.kind=r3gan", *CONDITIONS["image"], *CHANGING), Recorder()
    engine = FallbackEngine(Traced(build_step(config)), reporter)
    run(engine, 0, 3)
    before = {name: tensor.clone() for name, tensor in tensors(engine).items()}
    engine.prove(Position(3, 3 * engine.step.images, 0.1))
    assert differing(before, tensors(engine)) == []
    assert (engine.kind, reporter.warnings) == ("cuda_graph", [])
    assert isinstance(engine.engine, Traced)
    assert engine.engine.replays, "nothing was recorded"
    eager = Eager(build_step(config))
    run(eager, 0, 9)
    run(engine, 3, 9)
    assert differing(tensors(eager), tensors(engine)) == []


@pytest.mark.parametrize("role", ["ema", "model.networks.generator", "model.networks.critic"])
def test_an_engine_that_replays_wrongly_is_not_trusted(role: str) -> None:
    config, reporter = tiny("objective.kind=relativistic", *CHANGING), Recorder()
    engine = FallbackEngine(Frozen(build_step(config), role), reporter)
    engine.prove(Position(0, 0, 0.0))
    assert engine.kind == "eager"
    (warning,) = reporter.warnings
    # A critic that does not learn shows in the generator's weights, which are compared first.
    shown = role.replace("critic", "generator")
    assert f"its steps change {shown}.* otherwise than eager steps" in warning
    eager = Eager(build_step(config))
    run(eager, 0, 5)
    run(engine, 0, 5)
    assert differing(tensors(eager), tensors(engine)) == []


def test_an_engine_that_cannot_record_is_found_out_before_training() -> None:
    engine = FallbackEngine(CannotBeRecorded(build_step(tiny())), reporter := Recorder())
    before = {name: tensor.clone() for name, tensor in tensors(engine).items()}
    engine.prove(Position(0, 0, 0.0))
    assert engine.kind == "eager"
    assert len(reporter.warnings) == 1
    assert differing(before, tensors(engine)) == []


def test_every_variant_of_a_step_is_tried() -> None:
    step = build_step(tiny("objective.kind=relativistic", "objective.r1_interval=16"))
    steps = [position.step for position in _positions(step, Position(5, 160, 0.0))]
    assert [step for step in steps if step % 16 == 0] == [16, 32, 48, 64, 80, 96]
    assert [step for step in steps if step % 16] == [5, 6, 7, 8, 9, 10]


# -- CUDA graphs, without CUDA ---------------------------------------------------------------------


class FakeGraph:
    """Stands for `torch.cuda.graph`: fails on leaving if the body failed, as torch does."""

    def __init__(self, *args: object, **more: object) -> None:
        pass

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, *more: object) -> None:
        if kind is not None:
            raise RuntimeError("CUDA error: operation failed due to a previous error")


@pytest.mark.parametrize(
    "error",
    [RuntimeError("no kernel for this\ndetails"), torch.OutOfMemoryError("no kernel for this")],
)
def test_a_failed_recording_names_its_first_cause(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "Stream", lambda device: None)
    monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: None)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", lambda: None)
    monkeypatch.setattr(torch.cuda, "graph", FakeGraph)

    def compute() -> StepLosses:
        raise error

    with pytest.raises(CannotRecord) as caught:
        CudaGraph(build_step(tiny())).record(compute)
    assert caught.value.reason == "no kernel for this"


def test_a_full_memory_is_not_a_reason_to_continue_eagerly() -> None:
    reporter = Recorder()
    fallback = FallbackEngine(OutOfMemoryEngine(build_step(tiny())), reporter)
    with pytest.raises(torch.OutOfMemoryError):
        run(fallback, 0, 1)
    assert reporter.warnings == []
