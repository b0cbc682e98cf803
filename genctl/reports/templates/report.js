"use strict";
// Each run shows its last grid at or before the position of the slider.
const player = document.getElementById("player");
if (player) {
  const slider = document.getElementById("step");
  const output = document.getElementById("seen");
  const button = document.getElementById("play");
  const steps = JSON.parse(player.dataset.steps);
  const runs = [...document.querySelectorAll("[data-run]")].map((figure) => ({
    seen: figure.querySelector("[data-seen]"),
    grids: [...figure.querySelectorAll("img")],
  }));
  const count = (images) => Number(images).toLocaleString("en") + " images";
  let timer = null;

  function show() {
    const images = steps[slider.valueAsNumber];
    output.value = count(images);
    slider.setAttribute("aria-valuetext", count(images));
    for (const run of runs) {
      const before = run.grids.filter((grid) => Number(grid.dataset.images) <= images);
      const shown = before.length ? before[before.length - 1] : run.grids[0];
      for (const grid of run.grids) grid.hidden = grid !== shown;
      run.seen.textContent = count(shown.dataset.images);
    }
  }

  function stop() {
    clearInterval(timer);
    timer = null;
    button.textContent = "Play";
  }

  function advance() {
    slider.value = slider.valueAsNumber + 1;
    show();
    if (slider.value === slider.max) stop();
  }

  slider.addEventListener("input", () => { stop(); show(); });
  button.addEventListener("click", () => {
    if (timer !== null) return stop();
    if (slider.value === slider.max) slider.value = 0;
    show();
    button.textContent = "Pause";
    timer = setInterval(advance, 500);
  });
  slider.max = steps.length - 1;
  slider.value = slider.max;
  player.hidden = steps.length < 2;
  show();
}
