// Pictures: from files to pixels, and from pixels to canvases and PNG files.

const MAX_SIDE = 2048;  // larger photos are made smaller first
const COLUMNS = 4, GAP = 2, MIN_SHOWN = 128;  // of the PNG file: pixels of an image's side

// A file that was dropped, pasted or chosen, as framePicture takes it.
async function readPicture(file) {
  const options = { colorSpaceConversion: "none", premultiplyAlpha: "none" };
  const bitmap = await createImageBitmap(file, options);
  const scale = Math.min(1, MAX_SIDE / Math.max(bitmap.width, bitmap.height));
  const width = Math.max(Math.round(bitmap.width * scale), 1);
  const height = Math.max(Math.round(bitmap.height * scale), 1);
  const canvas = new OffscreenCanvas(width, height), context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, width, height);
  const { data } = context.getImageData(0, 0, width, height);
  return { width, height, channels: 3, pixels: withoutAlpha(data) };
}

// Transparency becomes the colour that the content stands out from: black or white.
function withoutAlpha(data) {
  let sum = 0, count = 0;
  for (let i = 0; i < data.length; i += 4) {
    if (data[i + 3] <= 127) continue;
    sum += (19595 * data[i] + 38470 * data[i + 1] + 7471 * data[i + 2]) / 65536;
    count++;
  }
  const behind = count && sum / count > 127 ? 0 : 255;
  const pixels = new Uint8Array(data.length / 4 * 3);
  for (let i = 0, to = 0; i < data.length; i += 4) {
    const share = data[i + 3] / 255;
    for (let c = 0; c < 3; c++) pixels[to++] = Math.round(data[i + c] * share + behind * (1 - share));
  }
  return pixels;
}

// Shows pixels (size, size, channels) on a canvas, one to one.
function show(canvas, pixels, { size, channels }) {
  canvas.width = canvas.height = size;
  const image = new ImageData(size, size);
  for (let i = 0; i < size * size; i++) {
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = pixels[i * channels + (channels === 3 ? c : 0)];
    image.data[4 * i + 3] = 255;
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

// The images in rows, enlarged by a whole number, as the bytes of a PNG file.
function toPng(canvases, size) {
  const scale = Math.ceil(MIN_SHOWN / size), step = size * scale + GAP * scale;
  const sheet = document.createElement("canvas");
  sheet.width = COLUMNS * step + GAP * scale;
  sheet.height = Math.ceil(canvases.length / COLUMNS) * step + GAP * scale;
  const context = sheet.getContext("2d");
  context.fillStyle = "#404040";
  context.fillRect(0, 0, sheet.width, sheet.height);
  context.imageSmoothingEnabled = false;
  canvases.forEach((canvas, i) => {
    const left = GAP * scale + (i % COLUMNS) * step;
    const top = GAP * scale + Math.floor(i / COLUMNS) * step;
    context.drawImage(canvas, left, top, size * scale, size * scale);
  });
  return new Promise((resolve) => sheet.toBlob(resolve, "image/png"));
}
