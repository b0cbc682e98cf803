// Strokes: lists of points with whole coordinates, from 0 to 255, which fit into a link.

const PAD = 256, RADIUS = 10, TOLERANCE = 0.8;

// Draws the line between two points into levels (PAD, PAD), with a round pen.
function drawLine(levels, [x0, y0], [x1, y1]) {
  const dx = x1 - x0, dy = y1 - y0, squared = dx * dx + dy * dy;
  const reach = RADIUS + 1;
  const low = (one, two) => Math.max(Math.min(one, two) - reach, 0);
  const high = (one, two) => Math.min(Math.max(one, two) + reach, PAD - 1);
  const right = high(x0, x1), bottom = high(y0, y1);
  for (let y = low(y0, y1); y <= bottom; y++) {
    for (let x = low(x0, x1); x <= right; x++) {
      const along = squared === 0 ? 0 : ((x - x0) * dx + (y - y0) * dy) / squared;
      const nearest = Math.min(Math.max(along, 0), 1);
      const across = x - x0 - nearest * dx, down = y - y0 - nearest * dy;
      const distance = across * across + down * down;
      if (distance >= (RADIUS + 0.5) ** 2) continue;
      const covered = Math.round(255 * Math.min(RADIUS + 0.5 - Math.sqrt(distance), 1));
      levels[y * PAD + x] = Math.max(levels[y * PAD + x], covered);
    }
  }
}

function drawStrokes(strokes) {
  const levels = new Uint8Array(PAD * PAD);
  for (const stroke of strokes) {
    stroke.forEach((point, i) => drawLine(levels, stroke[Math.max(i - 1, 0)], point));
  }
  return levels;
}

// Fewer points within TOLERANCE of the stroke: Ramer 1972, Douglas and Peucker 1973.
function simplified(points) {
  if (points.length < 3) return points;
  const [x0, y0] = points[0], [x1, y1] = points[points.length - 1];
  const dx = x1 - x0, dy = y1 - y0, length = Math.hypot(dx, dy);
  let farthest = 0, most = 0;
  points.forEach(([x, y], i) => {
    const away = length === 0
      ? Math.hypot(x - x0, y - y0) : Math.abs((x - x0) * dy - (y - y0) * dx) / length;
    if (away > most) { most = away; farthest = i; }
  });
  if (most <= TOLERANCE) return [points[0], points[points.length - 1]];
  const before = simplified(points.slice(0, farthest + 1));
  return before.concat(simplified(points.slice(farthest)).slice(1));
}

// The strokes as a picture of the model's kind: light on dark or dark on light.
function strokesPicture(strokes, background) {
  const levels = drawStrokes(strokes);
  const pixels = (background ?? 0) < 128 ? levels : levels.map((level) => 255 - level);
  return { width: PAD, height: PAD, channels: 1, pixels };
}
