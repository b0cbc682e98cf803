"""Captions as conditions: what encoder and critic learn from them, and where they come from."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from genctl.common.errors import BadContent, ConfigError
from genctl.conditions.text import Text
from genctl.conditions.text_captions import MAX_CAPTION, with_captions
from genctl.config.build import build_model
from genctl.config.config import Config
from genctl.config.loading import load_data
from genctl.data.base import Images
from genctl.data.batch import Batch
from genctl.data.captions import text_of
from genctl.networks.layers.text_encoder import TextEncoder
from genctl.training.batches import Batches
from tests.support.texts import text_config
from tests.support.tiny import images, tiny

CONFIG = text_config("condition.code_noise=0.0", "training.batch_size=16")


@pytest.fixture(scope="module")
def train() -> Images:
    return load_data(CONFIG)[0]


def batches_of(train: Images, config: Config = CONFIG) -> Batches:
    training = config.training
    return Batches(train, config.condition, config.z_dim, training.batch_size, training.seed)


def encoder(max_words: int = 8, blocks: int = 2) -> TextEncoder:
    torch.manual_seed(0)
    return TextEncoder(20, max_words, 16, 4, blocks, code_dim=6, num_logits=5).eval()


# -- the encoder ----------------------------------------------------------------------------------


def test_codes_do_not_depend_on_the_places_after_the_last_word() -> None:
    short, long = encoder(5), encoder(8)
    state = long.state_dict()
    state["positions"] = state["positions"][:5]
    short.load_state_dict(state)
    words = torch.tensor([[3, 1, 20, 0, 0]])
    padded = torch.nn.functional.pad(words, (0, 3))
    torch.testing.assert_close(long(padded), short(words))


def test_codes_depend_on_every_word_and_on_their_order() -> None:
    words = torch.tensor([[3, 1, 20, 0], [3, 1, 19, 0], [1, 3, 20, 0], [3, 1, 0, 0]])
    codes = encoder(4)(words)
    assert (torch.cdist(codes, codes) + torch.eye(4) > 0.01).all()
    assert torch.allclose(codes.square().mean(1), torch.ones(4), atol=1e-4)


def test_a_caption_without_words_has_a_finite_code() -> None:
    assert encoder()(torch.zeros(2, 8).long()).isfinite().all()


# -- what is learned from captions ----------------------------------------------------------------


def test_each_real_image_comes_with_a_caption_of_its_own(train: Images) -> None:
    batches = batches_of(train)
    batch, index = batches.batch(3), batches.index(3)
    assert torch.equal(batch.real, train.floats(index))
    assert batch.caption is not None
    assert train.tokens is not None
    assert torch.equal(batch.caption.values, train.tokens.values[index])
    for row, i in zip(batch.caption.tokens, index.tolist(), strict=True):
        own = train.tokens.tokens[train.tokens.group[i]]
        assert (own == row).all(dim=1).any()


def test_the_encoder_learns_what_captions_say_by_cross_entropy(train: Images) -> None:
    model, batch = build_model(CONFIG, 10), batches_of(train).batch(0)
    assert batch.caption is not None
    network = model.networks["encoder"]
    assert isinstance(network, TextEncoder)
    logits = network.classify(network(batch.caption.tokens))
    expected = torch.zeros(())
    for attribute, part in enumerate(logits.split((10, 3, 3, 3, 3), dim=1)):
        rows = batch.caption.says[:, attribute].nonzero()[:, 0]
        expected += cross_entropy(part[rows], batch.caption.values[rows, attribute])
    torch.testing.assert_close(model.codes(batch).terms["cross_entropy"], expected)


def test_the_critic_is_told_what_the_caption_says_and_no_more(train: Images) -> None:
    batch = batches_of(train).batch(0)
    assert batch.caption is not None
    codes = build_model(CONFIG, 10).codes(batch)
    facts = codes.critic[:, codes.generator.shape[1] :]
    assert not codes.critic.requires_grad
    assert facts.shape == (16, 10 + 4 * 3)
    starts = torch.tensor([0, 10, 13, 16, 19])
    for row, values, says in zip(facts, batch.caption.values, batch.caption.says, strict=True):
        expected = torch.zeros(22)
        expected[(starts + values)[says]] = CONFIG.condition.code_dim**0.5
        assert torch.equal(row, expected)


def _logits(config: Config, batch: Batch, images: Tensor) -> list[Tensor]:
    model = build_model(config, 10)
    output = model.critic(images, model.codes(batch).critic)
    return list(output[:, 1:].split((10, 3, 3, 3, 3), dim=1))


def test_the_critic_classifies_all_that_is_known_of_real_images(train: Images) -> None:
    batch = batches_of(train).batch(0)
    assert batch.caption is not None
    model, objective = build_model(CONFIG, 10), CONFIG.objective
    (update, _), forward = objective.updates(), objective.forward(model, batch)
    terms = objective.terms(update, model, batch, forward)
    parts = _logits(CONFIG, batch, batch.real)
    expected = sum(cross_entropy(p, batch.caption.values[:, i]) for i, p in enumerate(parts))
    torch.testing.assert_close(terms["cross_entropy"], expected)


def test_the_generator_is_taught_what_captions_say_alone(train: Images) -> None:
    config = text_config(
        "condition.code_noise=0.0",
        "training.batch_size=16",
        "objective.generator_cross_entropy_weight=0.5",
    )
    batch = batches_of(train, config).batch(0)
    assert batch.caption is not None
    model, objective = build_model(config, 10), config.objective
    (_, update), forward = objective.updates(), objective.forward(model, batch)
    terms = objective.terms(update, model, batch, forward)
    expected = torch.zeros(())
    for attribute, part in enumerate(_logits(config, batch, forward.images)):
        rows = batch.caption.says[:, attribute].nonzero()[:, 0]
        expected += cross_entropy(part[rows], batch.caption.values[rows, attribute])
    torch.testing.assert_close(terms["class"], 0.5 * expected)


def test_class_codes_are_those_of_the_class_alone(train: Images) -> None:
    model = build_model(CONFIG, 10)
    codes = CONFIG.condition.class_codes(model.encode, train)
    assert train.tokens is not None
    inputs = CONFIG.condition.kind_inputs(train, torch.arange(len(train)))
    sevens = inputs[train.labels == 7]
    assert text_of(sevens[0].tolist(), train.tokens.vocabulary) == "a seven"
    assert (sevens == sevens[0]).all()
    torch.testing.assert_close(codes[7], model.encode(sevens[:1])[0])


# -- where captions come from ---------------------------------------------------------------------


def with_texts(*texts: str, classes: int = 2) -> Images:
    return replace(images(len(texts), classes=classes), captions=texts)


def test_texts_of_a_folder_become_words_in_the_vocabulary_of_training() -> None:
    train = with_texts("A red 1, large", "red 0!", "a RED 1 large")
    test = with_texts("a purple 0")
    train, test = with_captions(tiny().data, train, test, 5, 4)
    assert train.tokens is not None
    assert test.tokens is not None
    words = train.tokens.vocabulary
    assert set(words) == {"a", "red", "1", "0", "large"}
    index = torch.arange(3)
    rows = train.tokens.at(index, 0)
    assert [text_of(row, words) for row in rows.tokens.tolist()] == [
        "a red 1 large", "red 0", "a red 1 large"
    ]  # fmt: skip
    # Image 0 is of class 0, and its caption does not say so.
    assert rows.says.tolist() == [[False], [False], [False]]
    assert text_of(test.tokens.at(index[:1], 0).tokens[0].tolist(), words) == "a 0"
    assert test.tokens.at(index[:1], 0).says.tolist() == [[True]]


@pytest.mark.parametrize(("texts", "error", "message"), [
    ((), ConfigError, r"needs pictures with captions; set data\.captions=strokes"),
    (("one two three four",), ConfigError, r"vocabulary_size: .* 4 different words; set it to 4"),
    (("one one one one one",), ConfigError, r"max_words: the caption 'one one .* 5 words"),
    (("one",  "?!"), BadContent, r"the caption '\?!': it has no words"),
    (("word " * 10_000,), BadContent, r"10,000 words, and a caption has at most 512; shorten"),
])  # fmt: skip
def test_captions_that_cannot_be_used_are_refused(
    texts: tuple[str, ...], error: type[Exception], message: str
) -> None:
    data = with_texts(*texts) if texts else images()
    with pytest.raises(error, match=message):
        with_captions(tiny().data, data, data, 3, 4)


def test_there_is_room_for_the_longest_caption_that_is_allowed() -> None:
    Text(max_words=MAX_CAPTION)


def test_a_condition_of_words_needs_captions() -> None:
    with pytest.raises(ConfigError, match="needs pictures with captions"):
        load_data(tiny("condition.kind=text"))
