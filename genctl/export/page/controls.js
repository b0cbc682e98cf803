// The controls of the page.

// A slider and a number that say the same.
function bindPair(name, read, write) {
  const slider = byId(`${name}-slider`), field = byId(name);
  if (!field) return () => {};
  slider.addEventListener("input", () => write(slider.valueAsNumber));
  field.addEventListener("input", () => {
    if (field.value !== "" && field.checkValidity()) write(field.valueAsNumber);
  });
  field.addEventListener("blur", () => { field.value = read(); });
  return () => {
    slider.value = read();
    if (document.activeElement !== field) field.value = read();
  };
}

function withStep(k, value) {
  return state.directions.map((step, i) => (i === k ? value : step));
}

const refreshers = [
  bindPair("truncation", () => state.truncation, (truncation) => change({ truncation })),
  bindPair("walk", () => state.walk, (walk) => change({ walk })),
  ...model.directions.map((_, k) => bindPair(
    `direction${k}`, () => state.directions[k],
    (value) => change({ directions: withStep(k, value) }),
  )),
];

const pad = byId("pad") && new Pad(byId("pad"), model.preprocessing.background, (strokes) => {
  setEnd({ kind: "drawing", strokes });
});

function refreshControls() {
  for (const refresh of refreshers) refresh();
  const seed = byId("seed");
  if (document.activeElement !== seed) seed.value = state.seed;
  byId("which").textContent = `seed ${state.seed}, images ${state.first} to ${state.first + COUNT - 1}`;
  byId("reset").disabled = state.truncation === 1 && state.directions.every((step) => step === 0);
  const walk = byId("walk-row");
  if (!walk) return;
  for (const input of walk.querySelectorAll("input")) input.disabled = !state.ends[1];
  walk.classList.toggle("idle", !state.ends[1]);
  for (const [i, tab] of document.querySelectorAll("[data-end]").entries()) {
    tab.setAttribute("aria-pressed", i === active);
  }
  const chosen = state.ends[active];
  for (const chip of document.querySelectorAll("[data-condition]")) {
    const pressed = chosen !== null && chip.dataset.condition === endToText(chosen);
    chip.setAttribute("aria-pressed", pressed);
  }
  if (pad) {
    byId("undo").disabled = chosen?.kind !== "drawing" || !chosen.strokes.length;
    byId("clear").disabled = !chosen || chosen.kind === "any";
  }
}

// What the pad shows of the end that is chosen.
function showDrawing() {
  if (!pad) return;
  const end = state.ends[active];
  pad.set(end?.kind === "drawing" ? end.strokes : []);
  byId("photo").hidden = end?.kind !== "picture";
  if (end?.kind === "picture") show(byId("photo"), end.pixels, model);
  byId("hint").hidden = end?.kind === "drawing" || end?.kind === "picture";
}

function choose(index) {
  active = index;
  refreshControls();
  showDrawing();
}

function clearEnd() {
  setEnd(active === 0 ? { kind: "any" } : null);
  showDrawing();
}

for (const tab of document.querySelectorAll("[data-end]")) {
  tab.addEventListener("click", () => choose(Number(tab.dataset.end)));
}
for (const chip of document.querySelectorAll("[data-condition]")) {
  chip.addEventListener("click", () => {
    setEnd(endFromText(chip.dataset.condition, model));
    showDrawing();
  });
}

byId("another").addEventListener("click", () => change({ first: state.first + COUNT }));
byId("seed").addEventListener("input", ({ target }) => {
  if (target.value !== "" && target.checkValidity()) change({ seed: target.valueAsNumber, first: 0 });
});
byId("seed").addEventListener("blur", ({ target }) => { target.value = state.seed; });
byId("reset").addEventListener("click", () => (
  change({ truncation: 1, directions: model.directions.map(() => 0) })
));
byId("save").addEventListener("click", async () => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await toPng(images, model.size));
  link.download = `genctl-seed-${state.seed}-${state.first}.png`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
});
byId("link").addEventListener("click", async () => {
  writeLink();
  try {
    await navigator.clipboard.writeText(location.href);
    say("The link is copied. Whoever has this file sees what you see.");
  } catch {
    say("The address of this page is the link: copy it from the address bar.");
  }
});

async function take(file) {
  if (!file) return;
  try {
    const { pixels, inverted } = view.frame(await readPicture(file));
    setEnd({ kind: "picture", pixels });
    showDrawing();
    say(inverted ? "Light and dark were swapped, as the model was trained the other way round." : "");
  } catch {
    say(`${file.name} cannot be read as a picture.`);
  }
}

if (pad) {
  byId("undo").addEventListener("click", () => {
    const strokes = state.ends[active].strokes.slice(0, -1);
    if (!strokes.length) return clearEnd();
    setEnd({ kind: "drawing", strokes });
    showDrawing();
  });
  byId("clear").addEventListener("click", clearEnd);
  byId("open").addEventListener("click", () => byId("file").click());
  byId("file").addEventListener("change", ({ target }) => {
    take(target.files[0]);
    target.value = "";
  });
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    take(event.dataTransfer.files[0]);
  });
  document.addEventListener("paste", (event) => take(event.clipboardData.files[0]));
  pad.canvas.addEventListener("pointerdown", () => {
    byId("photo").hidden = byId("hint").hidden = true;
    say("");
  });
}

// Single keys, where no control takes them.
const KEYS = { n: "another", s: "save", z: "undo", x: "clear", r: "reset" };
document.addEventListener("keydown", (event) => {
  const typing = event.target.matches("input[type=number]");
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  const button = byId(KEYS[event.key.toLowerCase()]);
  if (button && !button.disabled) button.click();
});

readLink();
