// Drawing with mouse, pen or finger, or with the keyboard: arrows move, Space puts the pen down.

const KEY_STEP = 8;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

class Pad {
  // `changed` is called with the strokes so far, again and again while one is drawn.
  constructor(canvas, background, changed) {
    this.canvas = canvas;
    this.background = background ?? 0;
    this.changed = changed;
    this.strokes = [];
    this.stroke = null;  // the one that is drawn now
    this.cursor = null;  // of the keyboard
    this.levels = new Uint8Array(PAD * PAD);
    canvas.width = canvas.height = PAD;
    canvas.addEventListener("pointerdown", (event) => this.begin(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    for (const name of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(name, () => this.end());
    }
    canvas.addEventListener("keydown", (event) => this.key(event));
    canvas.addEventListener("blur", () => { this.end(); this.cursor = null; this.show(); });
  }

  set(strokes) {
    this.strokes = strokes;
    this.levels = drawStrokes(strokes);
    this.show();
  }

  pointAt({ clientX, clientY }) {
    const box = this.canvas.getBoundingClientRect();
    const inside = (part) => Math.min(Math.max(Math.round(part * PAD), 0), PAD - 1);
    return [inside((clientX - box.left) / box.width), inside((clientY - box.top) / box.height)];
  }

  begin(event) {
    if (event.button !== 0 || this.stroke) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.cursor = null;
    this.start(this.pointAt(event));
  }

  move(event) {
    if (!this.stroke || !this.canvas.hasPointerCapture(event.pointerId)) return;
    const events = event.getCoalescedEvents?.() ?? [];
    for (const each of events.length ? events : [event]) this.extend(this.pointAt(each));
  }

  start(point) {
    this.stroke = [point];
    drawLine(this.levels, point, point);
    this.tell();
  }

  extend(point) {
    const last = this.stroke[this.stroke.length - 1];
    if (point[0] === last[0] && point[1] === last[1]) return;
    this.stroke.push(point);
    drawLine(this.levels, last, point);
    this.tell();
  }

  end() {
    if (!this.stroke) return;
    const finished = simplified(this.stroke);
    this.stroke = null;
    this.set([...this.strokes, finished]);
    this.changed(this.strokes);
  }

  tell() {
    this.show();
    this.changed([...this.strokes, [...this.stroke]]);
  }

  key(event) {
    const arrow = ARROWS[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey || (!arrow && event.key !== " ")) return;
    event.preventDefault();
    this.cursor = this.cursor ?? [PAD / 2, PAD / 2];
    if (event.key === " " && !event.repeat) {
      if (this.stroke) this.end();
      else this.start(this.cursor);
    }
    if (arrow) {
      const step = event.shiftKey ? 1 : KEY_STEP;
      this.cursor = this.cursor.map((at, i) => Math.min(Math.max(at + step * arrow[i], 0), PAD - 1));
      if (this.stroke) this.extend(this.cursor);
    }
    this.show();
  }

  show() {
    const context = this.canvas.getContext("2d"), image = new ImageData(PAD, PAD);
    const light = this.background < 128;
    this.levels.forEach((level, i) => {
      image.data.fill(light ? level : 255 - level, 4 * i, 4 * i + 3);
      image.data[4 * i + 3] = 255;
    });
    context.putImageData(image, 0, 0);
    if (!this.cursor) return;
    context.strokeStyle = this.stroke ? "#e69f00" : "#3d9fdc";
    context.lineWidth = 3;
    context.beginPath();
    context.arc(this.cursor[0], this.cursor[1], RADIUS + 3, 0, 2 * Math.PI);
    context.stroke();
  }
}
