// The page: what its controls change in the state, and what it shows of it.

const byId = (id) => document.getElementById(id);
const model = JSON.parse(byId("model").textContent);
const bytes = fromBase64(byId("weights").textContent.trim());
const view = new View(model, new Pool(model, new Uint16Array(bytes.buffer)));
const images = [...document.querySelectorAll("#images canvas")];

let state = startState(model);
let active = 0;  // the end of the walk that is drawn or chosen now
let latest = null;  // what is shown
let running = null;  // the promise of the work that is under way
let outdated = false;
let idleTimer = null;

const SHOWN_CLASSES = 5;
const IDLE = 150;  // milliseconds without a change after which the ends of sliders are computed

// Shows the current state; while that is under way, later states wait, and only the last is shown.
function update() {
  outdated = true;
  running = running ?? (async () => {
    try {
      while (outdated) {
        outdated = false;
        const shown = { ...state };
        latest = await view.compute(shown);
        display(shown, latest);
        clearTimeout(idleTimer);
        idleTimer = setTimeout(displayEnds, IDLE, shown, latest);
      }
    } finally {
      running = null;
    }
  })();
  return running;
}

function change(values) {
  state = { ...state, ...values };
  refreshControls();
  saveLink();
  return update();
}

function setEnd(end, index = active) {
  const ends = [...state.ends];
  ends[index] = end;
  return change({ ends, walk: ends[1] ? (index === 0 ? 0 : 1) : 0 });
}

function display(shown, { pixels, belief, milliseconds }) {
  const each = model.size ** 2 * model.channels;
  images.forEach((canvas, i) => show(canvas, pixels.subarray(i * each, (i + 1) * each), model));
  byId("time").textContent = `${COUNT} images in ${Math.round(milliseconds)} ms`;
  shown.ends.forEach((end, i) => {
    const canvas = byId(`seen${i}`);
    if (!canvas) return;
    canvas.hidden = !end?.seen;
    if (end?.seen) show(canvas, end.seen, model);
  });
  displayBelief(belief);
}

async function displayEnds(shown, { codes }) {
  if (running) return;
  const pixels = await view.extremes(shown, codes.subarray(0, model.code_dim));
  const each = model.size ** 2 * model.channels;
  model.directions.forEach((_, k) => ["low", "high"].forEach((side, i) => {
    const from = (2 * k + i) * each;
    show(byId(`direction${k}-${side}`), pixels.subarray(from, from + each), model);
  }));
}

function displayBelief(belief) {
  const list = byId("belief");
  if (!list) return;
  const best = belief ? belief.indexOf(Math.max(...belief)) : -1;
  byId("verdict").textContent = belief
    ? `${model.classes[best]}, ${(100 * belief[best]).toFixed(belief[best] > 0.9995 ? 0 : 1)} %` : "–";
  // Where there is no room for all classes, the likeliest are shown.
  const least = belief && [...belief].sort((one, two) => two - one)[SHOWN_CLASSES - 1];
  model.classes.forEach((name, i) => {
    const row = list.children[i], share = belief ? belief[i] : 0;
    row.style.setProperty("--share", share);
    row.classList.toggle("best", i === best);
    if (belief && list.matches(".rows")) row.hidden = share < least;
    row.title = `${name}: ${(100 * share).toFixed(1)} %`;
  });
}

let linkTimer = null;
function saveLink() {
  clearTimeout(linkTimer);
  linkTimer = setTimeout(writeLink, 250);  // browsers limit how often an address may change
}

function writeLink() {
  clearTimeout(linkTimer);
  history.replaceState(null, "", `#${stateToLink(state, startState(model))}`);
}

function readLink() {
  const text = location.hash.slice(1);
  try {
    state = stateFromLink(text, startState(model), model);
  } catch (error) {
    say(`This link does not fit this page: ${error.message}.`);
    state = startState(model);
  }
  active = 0;
  refreshControls();
  showDrawing();
  return update();
}

function say(text) {
  byId("message").textContent = text;
}

window.addEventListener("hashchange", readLink);
window.genctl = {
  model,
  frame: (picture) => view.frame(picture),
  encode: (pixels) => view.encode(pixels),
  generate: (z, codes, count) => view.generate(Float32Array.from(z), Float32Array.from(codes), count),
  sampleZ,
  strokesPicture,
  state: () => state,
  latest: () => latest,
  link: () => stateToLink(state, startState(model)),
  settled: async () => { while (running) await running; },
};
