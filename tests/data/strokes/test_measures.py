"""The measures of strokes, against drawings that are known and against second implementations."""

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import distance_transform_edt

from genctl.data.strokes import measures
from genctl.data.strokes.measures import bounding_parallelogram, horizontal_shear, measure
from genctl.data.strokes.names import MEASURES
from tests.data.strokes.drawn import SIDE, capsule, sheared_ellipse

THICKNESS, SLANT, WIDTH, SIZE = range(len(MEASURES))


@pytest.mark.parametrize("thickness", [2.0, 3.0, 5.0])
@pytest.mark.parametrize("degrees", [-35.0, 0.0, 20.0])
def test_a_straight_stroke_has_the_thickness_that_it_was_drawn_with(
    thickness: float, degrees: float
) -> None:
    found = measure(capsule(thickness, degrees)[None])[0, THICKNESS]
    assert float(found) == pytest.approx(thickness, abs=0.2)


@pytest.mark.parametrize("degrees", [-30.0, -5.0, 0.0, 12.0, 40.0])
def test_a_sheared_ellipse_has_the_slant_of_its_shear(degrees: float) -> None:
    found = measure(sheared_ellipse(6.0, 16.0, degrees)[None])[0, SLANT]
    assert float(found) == pytest.approx(degrees, abs=0.5)


@pytest.mark.parametrize("degrees", [-30.0, 0.0, 20.0])
def test_the_parallelogram_of_an_ellipse_leaves_two_per_cent_outside(degrees: float) -> None:
    # The mass of an ellipse beyond the share u of a half axis is (acos(u) - u sqrt(1 - u²)) / π.
    u = 0.93433  # leaves 1 % at either end
    assert (math.acos(u) - u * math.sqrt(1 - u * u)) / math.pi == pytest.approx(0.01, abs=1e-5)
    ink = sheared_ellipse(10.0, 18.0, degrees).float() / 255
    width, height = bounding_parallelogram(ink, horizontal_shear(ink))
    assert float(height) == pytest.approx(18 * u, abs=0.3)
    assert float(width) == pytest.approx(10 * u, abs=0.6)  # a row of pixels is smeared
    size = measure(sheared_ellipse(10.0, 18.0, degrees)[None])[0, SIZE]
    assert float(size) == pytest.approx(float((width * height).sqrt()), abs=0.05)


def test_moments_are_those_of_a_second_implementation() -> None:
    ink = torch.rand(5, 9, 7, generator=torch.Generator().manual_seed(0))
    for image, shear in zip(ink.double().numpy(), horizontal_shear(ink).tolist(), strict=True):
        points = [(x, y, image[y, x]) for y in range(9) for x in range(7)]
        mass = sum(m for _, _, m in points)
        cx, cy = (sum(p[axis] * p[2] for p in points) / mass for axis in (0, 1))
        mu11 = sum((x - cx) * (y - cy) * m for x, y, m in points)
        mu02 = sum((y - cy) ** 2 * m for _, y, m in points)
        assert shear == pytest.approx(-mu11 / mu02, abs=1e-5)


def test_distances_are_those_of_scipy(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    blobs = rng.random((4, 40, 30)) < np.array([0.5, 0.9, 0.99, 1.0])[:, None, None]
    # scipy measures to a pixel outside; beyond the image is outside too.
    expected = [distance_transform_edt(np.pad(blob, 1))[1:-1, 1:-1] for blob in blobs]
    inside = torch.from_numpy(blobs).permute(1, 2, 0)
    for reach in (2, 12, 64):  # too short, as it is, and longer than any
        monkeypatch.setattr(measures, "FIRST_REACH", reach)
        found = measures.distance_to_outside(inside).permute(2, 0, 1)
        np.testing.assert_allclose(found.numpy(), np.stack(expected), atol=1e-5)


def test_measures_are_of_the_drawing_whatever_its_place_contrast_and_colours() -> None:
    drawing = capsule(3.0, 15.0, length=12.0)
    moved = drawing.roll((3, -5), dims=(1, 2))
    faint = (drawing.float() / 4 + 10).byte()
    grey, colours = torch.stack([drawing, moved, faint]), drawing.expand(1, 3, SIDE, SIDE)
    first, *others = torch.cat([measure(grey), measure(colours)])
    for other in others:
        torch.testing.assert_close(other, first, atol=0.1, rtol=0)


def test_a_picture_without_strokes_has_no_measures() -> None:
    assert measure(torch.full((2, 1, 16, 16), 40).byte()).abs().sum() == 0
    assert measure(torch.empty(0, 1, 16, 16).byte()).shape == (0, 4)
