// The picture: the browser's video, the exactly decoded frame over it, and boxes, magnifier and gestures over both.

import { scoreText } from "./record.js";

const KEPT = 24; // exact frames
const LENS_PX = 190;

export class Picture {
  constructor(stage, player) {
    this.player = player;
    this.stage = stage;
    this.layer = make("div", "layer", stage);
    this.video = make("video", "", this.layer);
    this.video.playsInline = true;
    this.video.preload = "auto";
    this.exact = make("img", "exact", this.layer);
    this.exact.alt = "";
    this.heat = make("img", "heat", this.layer);
    this.heat.alt = "";
    this.over = make("canvas", "over", stage);
    this.message = make("p", "message", stage);
    this.frames = new Map(); // PTS -> a promise of the decoded picture
    this.zoom = 1;
    this.pan = [0, 0];
    this.lens = 0; // 0 off, else how many times
    this.pointer = null;
    this.drawing = null; // the box being drawn, in the frame's pixels
    this.boxMode = false;
    stage.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    stage.addEventListener("pointerdown", (event) => this.down(event));
    stage.addEventListener("pointermove", (event) => this.move(event));
    stage.addEventListener("pointerup", (event) => this.up(event));
    stage.addEventListener("pointercancel", () => (this.start = this.drawing = null));
    stage.addEventListener("dragstart", (event) => event.preventDefault()); // of the picture as a file
    stage.addEventListener("pointerleave", () => {
      this.pointer = null;
      this.draw();
    });
  }

  setSize(width, height) {
    [this.width, this.height] = [width, height];
    this.fit();
  }

  // Where the whole picture lies in the stage at zoom 1, in CSS pixels.
  fit() {
    const { clientWidth: wide, clientHeight: high } = this.stage;
    const scale = Math.min(wide / this.width, high / this.height) || 1;
    this.fitted = { scale, left: (wide - this.width * scale) / 2, top: (high - this.height * scale) / 2 };
    Object.assign(this.layer.style, { width: `${this.width * scale}px`, height: `${this.height * scale}px` });
    fitCanvas(this.over, wide, high);
    this.place();
  }

  place() {
    const { left, top } = this.fitted;
    this.layer.style.transform = `translate(${left + this.pan[0]}px, ${top + this.pan[1]}px) scale(${this.zoom})`;
    this.draw();
  }

  toStage(x, y) {
    const { scale, left, top } = this.fitted;
    return [left + this.pan[0] + x * scale * this.zoom, top + this.pan[1] + y * scale * this.zoom];
  }

  toFrame(x, y) {
    const { scale, left, top } = this.fitted;
    const inside = (value, most) => Math.min(most, Math.max(0, value));
    return [
      inside((x - left - this.pan[0]) / (scale * this.zoom), this.width),
      inside((y - top - this.pan[1]) / (scale * this.zoom), this.height),
    ];
  }

  zoomBy(factor, at) {
    const before = this.zoom;
    this.zoom = Math.min(16, Math.max(1, this.zoom * factor));
    const [x, y] = at || [this.stage.clientWidth / 2, this.stage.clientHeight / 2];
    const { left, top } = this.fitted;
    this.pan = [x - left - ((x - left - this.pan[0]) * this.zoom) / before, y - top - ((y - top - this.pan[1]) * this.zoom) / before];
    if (this.zoom === 1) this.pan = [0, 0];
    this.place();
  }

  resetZoom() {
    this.zoom = 1;
    this.pan = [0, 0];
    this.place();
  }

  // --- the exact frame ---

  fetchFrame(pts) {
    if (!this.frames.has(pts)) {
      this.frames.set(pts, this.player.exactFrame(pts));
      this.frames.get(pts).catch(() => this.frames.delete(pts));
      if (this.frames.size > KEPT) this.forget(this.frames.keys().next().value);
    }
    return this.frames.get(pts);
  }

  forget(pts) {
    const frame = this.frames.get(pts);
    this.frames.delete(pts);
    if (pts !== this.exactPts) frame.then((address) => URL.revokeObjectURL(address), () => {});
  }

  showExact(address, pts) {
    this.exact.src = address;
    this.exact.hidden = false;
    this.exactPts = pts;
    this.draw();
  }

  hideExact() {
    this.exact.hidden = true;
    this.exactPts = null;
  }

  // Why there is no picture; where there is one, a remark on it.
  say(words) {
    this.problem = words;
    this.message.textContent = words;
  }

  note(words) {
    if (!this.problem) this.message.textContent = words;
  }

  // --- what is drawn over it ---

  draw() {
    const pen = this.over.getContext("2d");
    const { clientWidth: wide, clientHeight: high } = this.stage;
    pen.clearRect(0, 0, wide, high);
    const { faces, chosen, annotations } = this.player.onPicture();
    for (const one of [...faces].sort((a, b) => (a.track === chosen) - (b.track === chosen))) {
      this.drawBox(pen, one.box, one.colour, one.track === chosen ? 3 : 1.5, one.exact ? [] : [6, 4]);
      const score = one.score === undefined ? "" : `  ${one.exact ? "" : "~"}${scoreText(one.score)}`;
      this.drawLabel(pen, one.box, `Track ${one.track}${score}`, one.track === chosen);
    }
    for (const one of annotations) {
      this.drawBox(pen, one.box, "#E69F00", 2, [2, 3]);
      this.drawLabel(pen, one.box, one.text.length > 40 ? `${one.text.slice(0, 39)}…` : one.text, false);
    }
    if (this.drawing) this.drawBox(pen, this.drawing, "#E69F00", 2, []);
    if (this.lens && this.pointer) this.drawLens(pen);
    this.stage.classList.toggle("crosshair", this.boxMode || this.lens > 0);
  }

  drawBox(pen, [x0, y0, x1, y1], colour, width, dash) {
    const [left, top] = this.toStage(x0, y0);
    const [right, bottom] = this.toStage(x1, y1);
    pen.setLineDash([]);
    pen.lineWidth = width + 2;
    pen.strokeStyle = "rgba(0,0,0,.65)";
    pen.strokeRect(left, top, right - left, bottom - top);
    pen.setLineDash(dash);
    pen.lineWidth = width;
    pen.strokeStyle = colour;
    pen.strokeRect(left, top, right - left, bottom - top);
    pen.setLineDash([]);
  }

  // The chosen face is named above its box and the others below theirs, so that close faces stay legible.
  drawLabel(pen, [x0, y0, , y1], words, above) {
    const [left, top] = this.toStage(x0, y0);
    const bottom = this.toStage(x0, y1)[1];
    pen.font = "12px system-ui, sans-serif";
    const wide = pen.measureText(words).width + 8;
    const x = Math.min(Math.max(0, left), Math.max(0, this.stage.clientWidth - wide));
    const y = above && top >= 20 ? top - 19 : Math.min(bottom + 3, this.stage.clientHeight - 17);
    pen.fillStyle = "rgba(16,20,24,.88)";
    pen.fillRect(x, y, wide, 16);
    pen.fillStyle = "#fff";
    pen.fillText(words, x + 4, y + 12);
  }

  drawLens(pen) {
    const source = this.exact.hidden ? this.video : this.exact;
    const natural = source.naturalWidth || source.videoWidth;
    if (!natural) return;
    const [x, y] = this.pointer;
    const [fx, fy] = this.toFrame(x, y);
    const ratio = natural / this.width;
    const side = LENS_PX / (this.lens * this.fitted.scale * this.zoom);
    const left = Math.min(Math.max(0, x - LENS_PX / 2), this.stage.clientWidth - LENS_PX);
    const top = Math.min(Math.max(0, y - LENS_PX / 2), this.stage.clientHeight - LENS_PX);
    pen.fillStyle = "#000";
    pen.fillRect(left, top, LENS_PX, LENS_PX);
    pen.imageSmoothingEnabled = false;
    pen.drawImage(source, (fx - side / 2) * ratio, (fy - side / 2) * ratio, side * ratio, side * ratio, left, top, LENS_PX, LENS_PX);
    pen.lineWidth = 2;
    pen.strokeStyle = "#fff";
    pen.strokeRect(left, top, LENS_PX, LENS_PX);
    pen.fillStyle = "rgba(16,20,24,.88)";
    pen.fillRect(left, top, 26, 16);
    pen.fillStyle = "#fff";
    pen.font = "12px system-ui, sans-serif";
    pen.fillText(`${this.lens}×`, left + 4, top + 12);
  }

  // --- gestures ---

  at(event) {
    const area = this.stage.getBoundingClientRect();
    return [event.clientX - area.left, event.clientY - area.top];
  }

  wheel(event) {
    if (!event.ctrlKey && !this.stage.matches(":focus-within") && this.zoom === 1 && !this.lens) return; // the page scrolls
    event.preventDefault();
    if (this.lens) {
      this.lens = Math.min(8, Math.max(2, this.lens + (event.deltaY < 0 ? 1 : -1)));
      this.draw();
    } else this.zoomBy(event.deltaY < 0 ? 1.2 : 1 / 1.2, this.at(event));
  }

  down(event) {
    if (event.button !== 0) return;
    this.start = { at: this.at(event), pan: [...this.pan] };
    this.stage.setPointerCapture(event.pointerId);
    if (this.boxMode) this.drawing = [...this.toFrame(...this.start.at), ...this.toFrame(...this.start.at)];
  }

  move(event) {
    this.pointer = this.at(event);
    if (this.start && this.drawing) {
      const [x0, y0] = this.toFrame(...this.start.at);
      const [x1, y1] = this.toFrame(...this.pointer);
      this.drawing = [Math.min(x0, x1), Math.min(y0, y1), Math.max(x0, x1), Math.max(y0, y1)];
    } else if (this.start && this.zoom > 1) {
      this.pan = [0, 1].map((i) => this.start.pan[i] + this.pointer[i] - this.start.at[i]);
      this.place();
      return;
    }
    if (this.drawing || this.lens) this.draw();
  }

  up(event) {
    const moved = this.start && Math.hypot(...this.at(event).map((value, i) => value - this.start.at[i])) > 4;
    const drawn = this.drawing;
    this.start = this.drawing = null;
    if (drawn && drawn[2] - drawn[0] >= 4 && drawn[3] - drawn[1] >= 4) this.player.boxDrawn(drawn.map(Math.round));
    else if (!moved && !this.boxMode) this.player.pictureClicked(this.toFrame(...this.at(event)));
    this.draw();
  }
}

export function make(tag, name, parent) {
  const element = document.createElement(tag);
  if (name) element.className = name;
  parent?.append(element);
  return element;
}

export function fitCanvas(canvas, wide, high) {
  const ratio = window.devicePixelRatio || 1;
  Object.assign(canvas.style, { width: `${wide}px`, height: `${high}px` });
  canvas.width = Math.max(1, Math.round(wide * ratio));
  canvas.height = Math.max(1, Math.round(high * ratio));
  canvas.getContext("2d").scale(ratio, ratio);
}
