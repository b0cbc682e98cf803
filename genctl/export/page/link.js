// The text after # in the address, which brings the same view back.

const MAX_POINTS = 255;  // of one stroke; longer ones become several

function toBase64(bytes) {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function fromBase64(text) {
  const plain = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(plain, (letter) => letter.charCodeAt(0));
}

function strokesToBytes(strokes) {
  const bytes = [];
  for (const stroke of strokes) {
    for (let start = 0; start < stroke.length; start += MAX_POINTS - 1) {
      const part = stroke.slice(start, start + MAX_POINTS);
      if (start > 0 && part.length < 2) break;
      bytes.push(part.length, ...part.flat());
    }
  }
  return bytes;
}

function strokesFromBytes(bytes) {
  const strokes = [];
  for (let at = 0; at < bytes.length; at += 1 + 2 * bytes[at]) {
    const points = bytes.subarray(at + 1, at + 1 + 2 * bytes[at]);
    if (points.length === 0 || points.length < 2 * bytes[at]) throw new Error("half a stroke");
    strokes.push(Array.from({ length: bytes[at] }, (_, i) => [points[2 * i], points[2 * i + 1]]));
  }
  return strokes;
}

// Levels in which 0 is followed by how often it comes: drawings are mostly empty.
function packed(levels) {
  const bytes = [];
  for (let at = 0; at < levels.length;) {
    let run = 0;
    while (at + run < levels.length && levels[at + run] === 0 && run < 255) run++;
    if (run) bytes.push(0, run);
    else bytes.push(levels[at]);
    at += run || 1;
  }
  return bytes;
}

function unpacked(bytes, length) {
  const levels = [];
  for (let at = 0; at < bytes.length; at++) {
    if (bytes[at] !== 0) levels.push(bytes[at]);
    else levels.push(...new Array(bytes[++at]).fill(0));
  }
  if (levels.length !== length) throw new Error("a picture of another size");
  return Uint8ClampedArray.from(levels);
}

function endToText(end) {
  if (end.kind === "class") return `class:${end.label}`;
  if (end.kind === "drawing") return `draw:${toBase64(strokesToBytes(end.strokes))}`;
  if (end.kind === "picture") return `picture:${toBase64(packed(end.pixels))}`;
  return "any";
}

function endFromText(text, model) {
  const [kind, rest] = text.split(":");
  const label = Number(rest);
  if (kind === "any") return { kind };
  if (kind === "class" && Number.isInteger(label) && label >= 0 && label < model.classes.length) {
    return { kind, label };
  }
  if (kind === "draw" && model.programs.encoder) {
    return { kind: "drawing", strokes: strokesFromBytes(fromBase64(rest)) };
  }
  if (kind === "picture" && model.programs.encoder) {
    const pixels = unpacked(fromBase64(rest), model.size ** 2 * model.channels);
    return { kind, pixels };
  }
  throw new Error(`no such condition: ${kind}`);
}

function stateToLink(state, start) {
  const words = [];
  for (const name of ["seed", "first", "truncation", "walk"]) {
    if (state[name] !== start[name]) words.push(`${name}=${state[name]}`);
  }
  if (state.directions.some((value) => value !== 0)) words.push(`z=${state.directions.join(",")}`);
  ["a", "b"].forEach((name, i) => {
    const end = state.ends[i];
    if (end && !(i === 0 && end.kind === "any")) words.push(`${name}=${endToText(end)}`);
  });
  return words.join("&");
}

// The state that a link describes; throws an error if it does not fit this model.
function stateFromLink(text, start, model) {
  const state = { ...start, directions: [...start.directions], ends: [...start.ends] };
  const limits = {
    seed: [0, MAX_SEED, true], first: [0, MAX_FIRST, true],
    truncation: [0, MAX_TRUNCATION, false], walk: [0, 1, false],
  };
  const number = (word, [least, most, whole]) => {
    const value = Number(word);
    if (word === "" || !(value >= least && value <= most) || (whole && !Number.isInteger(value))) {
      throw new Error(`${word} is out of range`);
    }
    return value;
  };
  for (const word of text.split("&").filter(Boolean)) {
    const [name, value = ""] = word.split("=");
    if (name in limits) state[name] = number(value, limits[name]);
    else if (name === "z") {
      const values = value.split(",").map((each) => number(each, [-MAX_STEP, MAX_STEP, false]));
      if (values.length !== state.directions.length) throw new Error("other directions of z");
      state.directions = values;
    } else if (name === "a" || name === "b") {
      if (!model.code_dim) throw new Error("a condition");
      state.ends[name === "a" ? 0 : 1] = endFromText(value, model);
    } else throw new Error(`no such word: ${name}`);
  }
  return state;
}
