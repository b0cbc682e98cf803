"use strict";
// The operations of genctl/export/program.py. Features lie channels last: image, row, column,
// channel. Sums are kept in doubles, as JavaScript's numbers are.

// out[i][j] = bias[j] + the product of row i of `rows` and row j of `weight`; 4 by 4 at a time, so
// that each number that is read is used four times.
function multiply(rows, count, weight, bias, out) {
  const outputs = out.length / count, length = weight.length / outputs;
  for (let i = 0; i < count; i += 4) {
    const here = Math.min(4, count - i);
    const a0 = i * length, a1 = a0 + (here > 1 ? length : 0);
    const a2 = a0 + (here > 2 ? 2 * length : 0), a3 = a0 + (here > 3 ? 3 * length : 0);
    for (let j = 0; j < outputs; j += 4) {
      const across = Math.min(4, outputs - j);
      const b0 = j * length, b1 = b0 + (across > 1 ? length : 0);
      const b2 = b0 + (across > 2 ? 2 * length : 0), b3 = b0 + (across > 3 ? 3 * length : 0);
      let s00 = 0, s01 = 0, s02 = 0, s03 = 0, s10 = 0, s11 = 0, s12 = 0, s13 = 0;
      let s20 = 0, s21 = 0, s22 = 0, s23 = 0, s30 = 0, s31 = 0, s32 = 0, s33 = 0;
      for (let k = 0; k < length; k++) {
        const x0 = rows[a0 + k], x1 = rows[a1 + k], x2 = rows[a2 + k], x3 = rows[a3 + k];
        const w0 = weight[b0 + k], w1 = weight[b1 + k], w2 = weight[b2 + k], w3 = weight[b3 + k];
        s00 += x0 * w0; s01 += x0 * w1; s02 += x0 * w2; s03 += x0 * w3;
        s10 += x1 * w0; s11 += x1 * w1; s12 += x1 * w2; s13 += x1 * w3;
        s20 += x2 * w0; s21 += x2 * w1; s22 += x2 * w2; s23 += x2 * w3;
        s30 += x3 * w0; s31 += x3 * w1; s32 += x3 * w2; s33 += x3 * w3;
      }
      const sums = [s00, s01, s02, s03, s10, s11, s12, s13, s20, s21, s22, s23, s30, s31, s32, s33];
      for (let r = 0; r < here; r++) {
        for (let c = 0; c < across; c++) {
          out[(i + r) * outputs + j + c] = sums[4 * r + c] + (bias ? bias[j + c] : 0);
        }
      }
    }
  }
}

// The patches of a padded image under each position of a kernel, one row for each position.
function patches(image, size, channels, { kernel, stride, padding }, outSize, rows) {
  rows.fill(0);
  let row = 0;
  for (let y = 0; y < outSize; y++) {
    for (let x = 0; x < outSize; x++) {
      for (let i = 0; i < kernel; i++) {
        const top = y * stride + i - padding;
        if (top < 0 || top >= size) continue;
        for (let j = 0; j < kernel; j++) {
          const left = x * stride + j - padding;
          if (left < 0 || left >= size) continue;
          const from = (top * size + left) * channels;
          const to = row + (i * kernel + j) * channels;
          for (let c = 0; c < channels; c++) rows[to + c] = image[from + c];
        }
      }
      row += kernel * kernel * channels;
    }
  }
}

// Adds the patches that each position of a small image makes to a larger one.
function addPatches(rows, size, channels, { kernel, stride, padding }, outSize, image) {
  let row = 0;
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      for (let i = 0; i < kernel; i++) {
        const top = y * stride + i - padding;
        if (top < 0 || top >= outSize) continue;
        for (let j = 0; j < kernel; j++) {
          const left = x * stride + j - padding;
          if (left < 0 || left >= outSize) continue;
          const to = (top * outSize + left) * channels;
          const from = row + (i * kernel + j) * channels;
          for (let c = 0; c < channels; c++) image[to + c] += rows[from + c];
        }
      }
      row += kernel * kernel * channels;
    }
  }
}

// One side twice as long, bilinear: neighbours along it are `step` numbers apart.
function doubleLines(image, lines, length, step, out) {
  for (let line = 0; line < lines; line++) {
    const start = line * length * step;
    for (let i = 0; i < length; i++) {
      const here = start + i * step;
      const before = i > 0 ? here - step : here, after = i < length - 1 ? here + step : here;
      const to = 2 * here;
      for (let c = 0; c < step; c++) {
        out[to + c] = 0.25 * image[before + c] + 0.75 * image[here + c];
        out[to + step + c] = 0.75 * image[here + c] + 0.25 * image[after + c];
      }
    }
  }
}

// Each takes the operation, its inputs, the number of images, its weights, and what to write to.
const KERNELS = {
  linear({ weight, bias }, [features], count, out) {
    multiply(features.values, count, weight, bias, out);
  },

  convolution(operation, [features], count, out) {
    const { size, weight, bias } = operation, each = out.length / count;
    const inputs = features.values.length / count;
    const length = weight.length / operation.channels;
    const rows = new Float32Array(size * size * length);
    for (let n = 0; n < count; n++) {
      const image = features.values.subarray(n * inputs, (n + 1) * inputs);
      patches(image, features.size, features.channels, operation, size, rows);
      multiply(rows, size * size, weight, bias, out.subarray(n * each, (n + 1) * each));
    }
  },

  transposed_convolution(operation, [features], count, out) {
    const { size, channels, kernel, weight, bias } = operation, each = out.length / count;
    const positions = features.size ** 2, inputs = features.values.length / count;
    const rows = new Float32Array(positions * kernel * kernel * channels);
    for (let n = 0; n < count; n++) {
      const image = out.subarray(n * each, (n + 1) * each);
      if (bias) for (let i = 0; i < each; i++) image[i] = bias[i % channels];
      const read = features.values.subarray(n * inputs, (n + 1) * inputs);
      multiply(read, positions, weight, null, rows);
      addPatches(rows, features.size, channels, operation, size, image);
    }
  },

  weighted_sum({ channels, weight, bias }, [features], count, out) {
    const { values } = features, each = weight.length;
    for (let n = 0; n < count; n++) {
      for (let c = 0; c < channels; c++) {
        let sum = bias ? bias[c] : 0;
        for (let i = c; i < each; i += channels) sum += values[n * each + i] * weight[i];
        out[n * channels + c] = sum;
      }
    }
  },

  modulate({ channels }, [features, styles], count, out) {
    const each = out.length / count;
    for (let n = 0; n < count; n++) {
      const scale = n * 2 * channels, shift = scale + channels;
      for (let i = 0; i < each; i++) {
        const c = i % channels, at = n * each + i;
        out[at] = features.values[at] * styles.values[scale + c] + styles.values[shift + c];
      }
    }
  },

  scale_constant({ channels, weight }, [styles], count, out) {
    for (let i = 0; i < out.length; i++) {
      const n = Math.floor(i / weight.length);
      out[i] = styles.values[n * channels + i % channels] * weight[i % weight.length];
    }
  },

  upsample({ channels }, [features], count, out) {
    const { values, size } = features;
    const taller = new Float32Array(values.length * 2);
    doubleLines(values, count, size, size * channels, taller);
    doubleLines(taller, count * 2 * size, size, channels, out);
  },

  average_pool({ channels, size }, [features], count, out) {
    const { values } = features, line = 2 * size * channels;
    for (let row = 0; row < count * size; row++) {
      for (let x = 0; x < size; x++) {
        for (let c = 0; c < channels; c++) {
          const at = row * 2 * line + x * 2 * channels + c;
          out[(row * size + x) * channels + c] = 0.25 *
            (values[at] + values[at + channels] + values[at + line] + values[at + line + channels]);
        }
      }
    }
  },

  mean({ channels }, [features], count, out) {
    const each = features.values.length / count;
    for (let n = 0; n < count; n++) {
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        for (let i = c; i < each; i += channels) sum += features.values[n * each + i];
        out[n * channels + c] = sum * channels / each;
      }
    }
  },

  normalize({ eps }, [code], count, out) {
    const length = out.length / count;
    for (let n = 0; n < count; n++) {
      let squares = 0;
      for (let i = n * length; i < (n + 1) * length; i++) squares += code.values[i] ** 2;
      const scale = 1 / Math.sqrt(squares / length + eps);
      for (let i = n * length; i < (n + 1) * length; i++) out[i] = code.values[i] * scale;
    }
  },

  concatenate({ channels }, parts, count, out) {
    let start = 0;
    for (const part of parts) {
      for (let n = 0; n < count; n++) {
        const from = part.values.subarray(n * part.channels, (n + 1) * part.channels);
        out.set(from, n * channels + start);
      }
      start += part.channels;
    }
  },

  add(operation, [one, two], count, out) {
    for (let i = 0; i < out.length; i++) out[i] = one.values[i] + two.values[i];
  },

  tanh(operation, [features], count, out) {
    for (let i = 0; i < out.length; i++) out[i] = Math.tanh(features.values[i]);
  },

  leaky_relu({ slope }, [features], count, out) {
    for (let i = 0; i < out.length; i++) {
      const value = features.values[i];
      out[i] = value > 0 ? value : value * slope;
    }
  },
};
