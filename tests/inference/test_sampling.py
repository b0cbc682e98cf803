"""Sample i has the same bits, whatever else is generated or encoded."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from genctl.inference import sampling
from genctl.inference.samples import SampleRequest, SampleSet
from genctl.runs import model_file
from genctl.runs.model_file import TrainedModel
from tests.support.models import RESNET, save_model

GOLDEN = [2.916261, 1.25541, -2.779562]
CPU = torch.device("cpu")
MODELS = {
    "dcgan, image": (),
    "dcgan, conditional_batchnorm": ("networks.conditional_batchnorm=true",),
    "dcgan, none": ("condition.kind=none",),
    "resnet, image": RESNET,
    "resnet, label": (*RESNET, "condition.kind=label"),
    "resnet, none": (*RESNET, "condition.kind=none"),
}


@pytest.fixture(scope="module", params=MODELS)
def trained(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> TrainedModel:
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    return model_file.read(save_model(path, *MODELS[request.param]), CPU)


def pixels(trained: TrainedModel, n: int, *conditions: str, batch_size: int = 1024, seed: int = 0
           ) -> Tensor:  # fmt: skip
    return SampleSet.from_request(SampleRequest(conditions, n, seed), trained).pixels(batch_size)


def specs(trained: TrainedModel) -> tuple[str, ...]:
    """Conditions that the model takes."""
    return ("label:3", "noise") if trained.metadata.config.condition.code_dim else ()


def test_the_number_of_images_changes_no_image(trained: TrainedModel) -> None:
    for spec in specs(trained) or ("",):
        conditions = (spec,) if spec else ()
        many = pixels(trained, 300, *conditions)
        assert len(many.flatten(1).unique(dim=0)) == 300
        for n in (1, 7, 64, 65, 257):
            assert torch.equal(pixels(trained, n, *conditions), many[:n])


@pytest.mark.parametrize("batch_size", [1, 3, 64, 100])
def test_the_batch_size_changes_no_image(trained: TrainedModel, batch_size: int) -> None:
    many = pixels(trained, 70, *specs(trained))
    assert torch.equal(pixels(trained, 70, *specs(trained), batch_size=batch_size), many)


def test_the_number_of_cores_changes_no_image(trained: TrainedModel) -> None:
    many = pixels(trained, 200, *specs(trained))
    torch.set_num_threads(2)
    try:
        shared = pixels(trained, 200, *specs(trained))
        assert torch.get_num_threads() == 2, "restored"
    finally:
        torch.set_num_threads(1)
    assert torch.equal(shared, many)


def test_sampling_leaves_the_weights_unchanged(trained: TrainedModel) -> None:
    before = {name: weight.clone() for name, weight in trained.model.state_dict().items()}
    pixels(trained, 3)
    after = trained.model.state_dict()
    assert all(torch.equal(weight, after[name]) for name, weight in before.items())
    assert {weight.dtype for weight in trained.model.parameters()} <= {torch.float32}


def test_other_conditions_change_no_image(trained: TrainedModel) -> None:
    if not specs(trained):
        pytest.skip("an unconditional model")
    alone = {spec: pixels(trained, 5, spec) for spec in ("label:3", "noise", "label:8")}
    together = pixels(trained, 5, "noise", "label:8", "label:3")
    expected = torch.cat([alone["noise"], alone["label:8"], alone["label:3"]])
    assert torch.equal(together, expected)


def test_without_conditions_every_class_has_the_images_it_has_alone(trained: TrainedModel) -> None:
    if not specs(trained):
        pytest.skip("an unconditional model")
    samples = SampleSet.from_request(SampleRequest((), 23), trained)
    assert samples.counts == [3, 3, 3, 2, 2, 2, 2, 2, 2, 2]
    for label, own in enumerate(samples.pixels(1024).split(samples.counts)):
        assert torch.equal(own, pixels(trained, len(own), f"label:{label}"))


def test_a_different_seed_gives_different_images(trained: TrainedModel) -> None:
    one, other = (pixels(trained, 5, *specs(trained)[:1], seed=seed) for seed in (0, 1))
    assert not torch.equal(one, other)


def test_one_sample_can_be_generated_alone(trained: TrainedModel) -> None:
    samples = SampleSet.from_request(SampleRequest(specs(trained), 5), trained)
    pixels = samples.pixels(1024)
    assert all(torch.equal(samples.sample(i), pixels[i]) for i in range(len(samples)))


def test_fixed_batches_of_any_size_keep_the_promise(
    trained: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sampling.batch_size_of(CPU) < sampling.batch_size_of(torch.device("cuda"))
    monkeypatch.setattr(sampling, "batch_size_of", lambda device: 100)
    many = pixels(trained, 130, *specs(trained))
    for batch_size in (7, 100, 101):
        assert torch.equal(pixels(trained, 130, *specs(trained), batch_size=batch_size), many)
    monkeypatch.undo()
    # Batches of another size round differently, and show the same images.
    assert (pixels(trained, 130, *specs(trained)).int() - many.int()).abs().max() <= 2


def test_bfloat16_shows_the_same_images_and_models_trained_in_fp32_keep_it(
    trained: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = {}
    for precision in ("fp32", "bf16"):
        monkeypatch.setattr(sampling, "_automatic_precision", lambda device, found=precision: found)
        images[precision] = pixels(trained, 20, *specs(trained)).int()
    difference = (images["fp32"] - images["bf16"]).abs().float()
    assert 0 < difference.max() <= 8
    assert difference.mean() < 1
    monkeypatch.setattr(trained.model, "precision", "fp32")
    assert torch.equal(pixels(trained, 20, *specs(trained)).int(), images["fp32"])


def test_a_code_does_not_depend_on_its_neighbours(trained: TrainedModel) -> None:
    if trained.metadata.config.condition.kind != "image":
        pytest.skip("no image encoder")
    images = trained.metadata.config.data.load("test").floats(slice(0, 150))
    codes = sampling.encode(trained.model, images)
    for first, last in ((0, 1), (10, 90), (149, 150)):
        assert torch.equal(sampling.encode(trained.model, images[first:last]), codes[first:last])
    assert torch.equal(sampling.encode(trained.model, images.flip(0)), codes.flip(0))


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**63 - 1), st.integers(0, 2000), st.integers(1, 600), st.integers(1, 5))
def test_z_is_one_endless_table(seed: int, first: int, count: int, z_dim: int) -> None:
    rows = sampling.sample_z(seed, first, count, z_dim)
    assert rows.shape == (count, z_dim)
    assert torch.equal(sampling.sample_z(seed, first + count - 1, 1, z_dim), rows[-1:])
    assert torch.equal(sampling.sample_z(seed, 0, first + count, z_dim)[first:], rows)


def test_z_is_normal() -> None:
    z = sampling.sample_z(0, 0, 20_000, 4)
    assert z.mean(dim=0).abs().max() < 5 / 20_000**0.5
    assert (z.var(dim=0) - 1).abs().max() < 5 * (2 / 20_000) ** 0.5


def test_the_z_of_a_seed_never_changes() -> None:
    assert sampling.sample_z(7, 1000, 1, 3)[0].tolist() == pytest.approx(GOLDEN, abs=1e-6)


def test_fractions_go_from_end_to_end() -> None:
    assert sampling.fractions(0, 5, 5)[:, 0].tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert sampling.fractions(3, 2, 5)[:, 0].tolist() == [0.75, 1]
    assert sampling.fractions(0, 1, 1)[:, 0].tolist() == [0]
