// How `genctl sample --condition` frames a picture: genctl/data/preprocess.py, step by step.
// A picture is {width, height, channels, pixels}, with one channel or three.

const MIN_CONTRAST = 64, MIN_PAGE_CONTRAST = 16, MIN_DENOISED = 128, MAX_MARGIN = 4;

// Pixels (size, size, channels) as the model needs them, and whether light and dark were swapped.
function framePicture(picture, model) {
  const { size, channels } = model;
  const { background, native_size } = model.preprocessing;
  const inverted = background !== null && isInverted(picture, background);
  if (inverted) picture = invert(picture);
  if (picture.width === picture.height && [size, native_size].includes(picture.width)) {
    return { pixels: padOrResize(withChannels(picture, channels), size).pixels, inverted };
  }
  if (background !== null && channels === 1) {
    picture = centreContent(picture, size, model.preprocessing);
  }
  const { width, height } = picture, side = Math.min(width, height);
  const left = (width - side) / 2, top = (height - side) / 2;
  const square = resample(picture, size, [left, top, left + side, top + side], "lanczos");
  return { pixels: withChannels(square, channels).pixels, inverted };
}

function withChannels(picture, channels) {
  const { width, height } = picture;
  if (picture.channels === channels) return picture;
  const pixels = new Uint8Array(width * height * channels), from = picture.pixels;
  for (let i = 0; i < width * height; i++) {
    if (channels === 3) pixels.fill(from[i], 3 * i, 3 * i + 3);
    else pixels[i] = (19595 * from[3 * i] + 38470 * from[3 * i + 1] + 7471 * from[3 * i + 2] + 32768) >> 16;
  }
  return { width, height, channels, pixels };
}

function invert(picture) {
  return { ...picture, pixels: picture.pixels.map((level) => 255 - level) };
}

// A square picture of another size as a data set of that size was made to fit.
function padOrResize(picture, size) {
  const { width, channels, pixels } = picture, missing = size - width;
  if (missing === 0) return picture;
  if (missing < 0 || missing > 2 * MAX_MARGIN || missing % 2 !== 0) {
    return resample(picture, size, [0, 0, width, width], "bicubic");
  }
  const padded = new Uint8Array(size * size * channels);
  for (let y = 0; y < width; y++) {
    const line = pixels.subarray(y * width * channels, (y + 1) * width * channels);
    padded.set(line, ((y + missing / 2) * size + missing / 2) * channels);
  }
  return { width: size, height: size, channels, pixels: padded };
}

function median(values) {
  const sorted = values.slice().sort(), half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

// The pixels at the border, each with its position from -1 to 1.
function borderOf({ width, height, pixels }) {
  const points = [];
  const at = (x, y) => points.push({
    x: width > 1 ? 2 * x / (width - 1) - 1 : -1,
    y: height > 1 ? 2 * y / (height - 1) - 1 : -1,
    level: pixels[y * width + x],
  });
  for (let x = 0; x < width; x++) { at(x, 0); at(x, height - 1); }
  for (let y = 0; y < height; y++) { at(0, y); at(width - 1, y); }
  return points;
}

function isInverted(picture, background) {
  const border = borderOf(withChannels(picture, 1));
  return Math.abs(median(Float32Array.from(border, ({ level }) => level)) - background) > 128;
}

// Crops and scales so that the content has the usual size and is in the centre.
function centreContent(picture, size, preprocessing) {
  let grey = withChannels(picture, 1);
  if (Math.min(grey.width, grey.height) >= MIN_DENOISED) grey = denoised(grey);
  const { width, height } = grey, contrast = contrastOf(grey);
  const strongest = contrast.reduce((most, each) => Math.max(most, each), 0);
  const noise = Math.min(3 * Math.fround(median(contrast)), strongest / 4);
  const threshold = noise + (strongest - noise) * MIN_CONTRAST / 255;
  const box = boundingBox(contrast, width, Math.fround(Math.max(threshold, MIN_PAGE_CONTRAST)));
  if (box === null) return picture;
  const content = cut(contrast, width, box, (each) => {
    const scaled = Math.fround(Math.fround(each - Math.fround(noise)) / Math.fround(strongest - noise));
    return Math.min(Math.max(scaled, 0), 1);
  });
  const [x, y] = preprocessing.centre_by_mass
    ? centreOfMass(content) : [content.width / 2, content.height / 2];
  const side = Math.max(content.width, content.height) / preprocessing.content_size;
  const margin = Math.ceil(side / 2);
  const left = margin + x - side / 2, top = margin + y - side / 2;
  const window = [left, top, left + side, top + side];
  const square = resample(withMargin(content, margin), size, window, "lanczos");
  return preprocessing.background < 128 ? square : invert(square);
}

// The median of each pixel and its neighbours; beyond the border lies what lies on it.
function denoised({ width, height, channels, pixels }) {
  const out = new Uint8Array(width * height), near = new Uint8Array(9);
  for (let y = 0; y < height; y++) {
    const rows = [Math.max(y - 1, 0) * width, y * width, Math.min(y + 1, height - 1) * width];
    for (let x = 0; x < width; x++) {
      const before = Math.max(x - 1, 0), after = Math.min(x + 1, width - 1);
      let filled = 0, same = true;
      for (const row of rows) {
        near[filled++] = pixels[row + before];
        near[filled++] = pixels[row + x];
        near[filled++] = pixels[row + after];
      }
      for (let i = 1; i < 9; i++) same = same && near[i] === near[0];
      out[y * width + x] = same ? near[0] : near.sort()[4];
    }
  }
  return { width, height, channels, pixels: out };
}

// How much each pixel differs from the empty page, whose brightness is a plane.
function contrastOf(grey) {
  const { width, height, pixels } = grey;
  const border = borderOf(grey);
  let kept = border, plane = [0, 0, 0];
  for (let round = 0; round < 4; round++) {
    plane = fitPlane(kept);
    const distance = Float64Array.from(border, ({ x, y, level }) => (
      Math.abs(level - plane[0] - plane[1] * x - plane[2] * y)
    ));
    const limit = 2 * median(distance) + 1;
    kept = border.filter((_, i) => distance[i] <= limit);
  }
  const contrast = new Float32Array(width * height);
  for (let y = 0; y < height; y++) {
    const down = plane[2] * (height > 1 ? 2 * y / (height - 1) - 1 : -1);
    for (let x = 0; x < width; x++) {
      const page = plane[0] + plane[1] * (width > 1 ? 2 * x / (width - 1) - 1 : -1) + down;
      contrast[y * width + x] = Math.abs(pixels[y * width + x] - Math.fround(page));
    }
  }
  return contrast;
}

// a + b x + c y through points, by least squares; level where they do not say otherwise.
function fitPlane(points) {
  const rows = [[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]];
  for (const { x, y, level } of points) {
    const terms = [1, x, y, level];
    for (let i = 0; i < 3; i++) for (let j = 0; j < 4; j++) rows[i][j] += terms[i] * terms[j];
  }
  for (let i = 0; i < 3; i++) {
    if (Math.abs(rows[i][i]) < 1e-9 * points.length) return [rows[0][3] / points.length, 0, 0];
    for (let k = 0; k < 3; k++) {
      if (k === i) continue;
      const factor = rows[k][i] / rows[i][i];
      for (let j = 0; j < 4; j++) rows[k][j] -= factor * rows[i][j];
    }
  }
  return rows.map((row, i) => row[3] / row[i]);
}

function boundingBox(values, width, threshold) {
  let left = width, top = Infinity, right = -1, bottom = -1;
  values.forEach((value, i) => {
    if (!(value > threshold)) return;
    const x = i % width, y = (i - x) / width;
    left = Math.min(left, x);
    right = Math.max(right, x);
    top = Math.min(top, y);
    bottom = Math.max(bottom, y);
  });
  return right < 0 ? null : { left, top, width: right + 1 - left, height: bottom + 1 - top };
}

function cut(values, stride, { left, top, width, height }, change) {
  const content = new Float32Array(width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      content[y * width + x] = change(values[(top + y) * stride + left + x]);
    }
  }
  return { width, height, content };
}

function centreOfMass({ width, height, content }) {
  let total = 0, across = 0, down = 0;
  content.forEach((value, i) => {
    total += value;
    across += value * (i % width);
    down += value * Math.floor(i / width);
  });
  if (total === 0) return [width / 2, height / 2];
  return [across / total + 0.5, down / total + 0.5];
}

function withMargin({ width, height, content }, margin) {
  const wide = width + 2 * margin, tall = height + 2 * margin;
  const pixels = new Uint8Array(wide * tall);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const level = Math.trunc(Math.fround(content[y * width + x] * 255));
      pixels[(y + margin) * wide + x + margin] = level;
    }
  }
  return { width: wide, height: tall, channels: 1, pixels };
}
