// Resampling as Pillow does it, to the last bit: in two passes, with weights of 22 bits. `bicubic` is
// that of torch, which does not round in between.

const ONE = 2 ** 22;

const FILTERS = {
  lanczos: {
    support: 3,
    weight: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0),
    Levels: Uint8ClampedArray,
    fixed: (weight) => Math.trunc(weight * ONE + (weight < 0 ? -0.5 : 0.5)) / ONE,
    rounded: (level) => Math.floor(level + 0.5),
  },
  bicubic: {
    support: 2, weight: bicubic, Levels: Float64Array, fixed: (weight) => weight,
    rounded: (level) => level,
  },
};

function sinc(x) {
  return x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI);
}

function bicubic(x) {
  const a = -0.5, far = Math.abs(x);
  if (far < 1) return ((a + 2) * far - (a + 3)) * far * far + 1;
  return far < 2 ? (((far - 5) * far + 8) * far - 4) * a : 0;
}

// For each new pixel the first old one that it is made of, and the weights of those from there on.
function resamplingWeights(length, start, end, newLength, { support, weight }) {
  const scale = Math.fround(end - start) / newLength, wider = Math.max(scale, 1);
  return Array.from({ length: newLength }, (_, i) => {
    const centre = start + (i + 0.5) * scale, reach = support * wider;
    const first = Math.max(Math.trunc(centre - reach + 0.5), 0);
    const last = Math.min(Math.trunc(centre + reach + 0.5), length);
    const weights = [];
    for (let at = first; at < last; at++) weights.push(weight((at - centre + 0.5) / wider));
    const sum = weights.reduce((total, each) => total + each, 0);
    return { first, weights: weights.map((each) => (sum === 0 ? each : each / sum)) };
  });
}

// Lines of `length` pixels, each of `step` numbers, made of other pixels.
function resampleLines(pixels, lines, length, step, taps, { fixed, rounded }, out) {
  taps.forEach(({ first, weights }, to) => {
    const factors = weights.map(fixed);
    for (let line = 0; line < lines; line++) {
      for (let c = 0; c < step; c++) {
        let sum = 0, from = (line * length + first) * step + c;
        for (const weight of factors) {
          sum += pixels[from] * weight;
          from += step;
        }
        out[(line * taps.length + to) * step + c] = rounded(sum);
      }
    }
  });
}

// A square of side `size` from the window (left, top, right, bottom) of a picture.
function resample(picture, size, window, name) {
  const filter = FILTERS[name];
  const [left, top, right, bottom] = window.map(Math.fround);
  const { channels } = picture;
  let { width, height, pixels } = picture;
  const across = () => {
    if (size === width && left === 0 && right === size) return;
    const taps = resamplingWeights(width, left, right, size, filter);
    const out = new filter.Levels(height * size * channels);
    resampleLines(pixels, height, width, channels, taps, filter, out);
    pixels = out;
    width = size;
  };
  const down = () => {
    if (size === height && top === 0 && bottom === size) return;
    const taps = resamplingWeights(height, top, bottom, size, filter);
    const out = new filter.Levels(size * width * channels);
    resampleLines(pixels, 1, height, width * channels, taps, filter, out);
    pixels = out;
    height = size;
  };
  // Pillow's order, which matters because of the rounding in between.
  const downFirst = height > size && height - size > 2 * (width - size);
  const passes = downFirst ? [down, across] : [across, down];
  for (const pass of passes) pass();
  return { width, height, channels, pixels: Uint8ClampedArray.from(pixels) };
}
