// From the state of the page to twelve images.

const COUNT = 12;
const MAX_SEED = Number.MAX_SAFE_INTEGER, MAX_FIRST = 1e9, MAX_TRUNCATION = 2, MAX_STEP = 4;

function startState(model) {
  return {
    seed: 0, first: 0, truncation: 1, walk: 0,
    directions: model.directions.map(() => 0),
    // From where to where the walk goes: a class, a drawing, a picture, or any condition.
    ends: [model.code_dim ? { kind: "any" } : null, null],
  };
}

function toLevels(values) {
  return Uint8ClampedArray.from(values, (value) => value * 127.5 + 127.5);
}

class View {
  constructor(model, pool) {
    this.model = model;
    this.pool = pool;
  }

  frame(picture) {
    return framePicture(picture, this.model);
  }

  // Pixels (size, size, channels) -> a code.
  encode(pixels) {
    const image = Float32Array.from(pixels, (level) => level / 127.5 - 1);
    return this.pool.run("encoder", [image], 1, this.model.size);
  }

  // z and codes of `count` images -> pixels (count, size, size, channels), before rounding.
  generate(z, codes, count) {
    return this.pool.run("generator", [z, codes], count);
  }

  // What the encoder sees of an end of the walk, and its code; kept as long as the end is.
  async prepare(end) {
    if (!end || end.code || !["drawing", "picture"].includes(end.kind)) return;
    if (end.kind === "drawing") {
      const picture = strokesPicture(end.strokes, this.model.preprocessing.background);
      end.seen = this.frame(picture).pixels;
    } else {
      end.seen = end.pixels;
    }
    end.code = await this.encode(end.seen);
  }

  codeOf(end, number) {
    if (end.code) return end.code;
    const { codes } = this.model;
    return codes[end.kind === "class" ? end.label : number % codes.length];
  }

  // The code of one of the images: on the way from one end to the other, as `mix:A,B` goes.
  mixedCode([a, b], walk, number) {
    const from = this.codeOf(a, number);
    if (!b) return Float32Array.from(from);
    const to = this.codeOf(b, number);
    const mixed = Float32Array.from(from, (value, i) => value + walk * (to[i] - value));
    const squares = mixed.reduce((sum, value) => sum + value * value, 0);
    return mixed.map((value) => value / Math.sqrt(squares / mixed.length + 1e-8));
  }

  zOf(state) {
    const { z_dim, directions } = this.model;
    const z = sampleZ(state.seed, state.first, COUNT, z_dim);
    const moved = new Float32Array(z_dim);
    state.directions.forEach((step, k) => {
      for (let i = 0; i < z_dim; i++) moved[i] += step * directions[k][i];
    });
    return z.map((value, i) => value * state.truncation + moved[i % z_dim]);
  }

  async belief(code) {
    if (!this.model.programs.classifier) return null;
    const logits = await this.pool.run("classifier", [code], 1);
    const most = logits.reduce((one, two) => Math.max(one, two), -Infinity);
    const shares = Array.from(logits, (logit) => Math.exp(logit - most));
    const sum = shares.reduce((one, two) => one + two, 0);
    return shares.map((share) => share / sum);
  }

  // All that the page shows of a state.
  async compute(state) {
    const started = performance.now();
    const { code_dim } = this.model;
    await Promise.all(state.ends.map((end) => this.prepare(end)));
    const z = this.zOf(state), codes = new Float32Array(COUNT * code_dim);
    for (let i = 0; code_dim && i < COUNT; i++) {
      codes.set(this.mixedCode(state.ends, state.walk, state.first + i), i * code_dim);
    }
    const same = code_dim > 0 && state.ends.every((end) => !end || end.kind !== "any");
    const [values, belief] = await Promise.all([
      this.generate(z, codes, COUNT), same ? this.belief(codes.slice(0, code_dim)) : null,
    ]);
    const milliseconds = performance.now() - started;
    return { z, codes, values, pixels: toLevels(values), belief, milliseconds };
  }

  // The first of the images at both ends of each direction: pixels of low, high, low, high, …
  async extremes(state, code) {
    const { z_dim, directions } = this.model, count = 2 * directions.length;
    const z = new Float32Array(count * z_dim), codes = new Float32Array(count * code.length);
    for (let i = 0; i < count; i++) {
      const k = i >> 1, at = i % 2 ? MAX_STEP : -MAX_STEP;
      const steps = state.directions.map((step, j) => (j === k ? at : step));
      z.set(this.zOf({ ...state, directions: steps }).subarray(0, z_dim), i * z_dim);
      codes.set(code, i * code.length);
    }
    return toLevels(await this.generate(z, codes, count));
  }
}
