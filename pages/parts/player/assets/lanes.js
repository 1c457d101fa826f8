// The time axis that everything shares: score curve, segments, attention, marks, and a lane a face track.

import { clock, heat, lastBefore, scoreText } from "./record.js";
import { fitCanvas, make } from "./picture.js";

const AXIS = 18;
const CURVE = 60;
const THIN = 16;
const ATTENTION = 22;
const TRACK = 26;
const SPAN_COLOURS = { run: "#D55E00", peaks: "#E69F00", stretch: "#56B4E9" };
const STEPS_S = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600];

export class Lanes {
  constructor(parent, player) {
    this.player = player;
    this.root = make("div", "lanes", parent);
    this.gutter = make("div", "gutter", this.root);
    this.field = make("div", "field", this.root);
    this.canvas = make("canvas", "", this.field);
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "slider");
    this.canvas.setAttribute("aria-label", "Time");
    this.base = document.createElement("canvas");
    this.tip = make("div", "tip", parent);
    this.tip.hidden = true;
    this.canvas.addEventListener("pointerdown", (event) => this.down(event));
    this.canvas.addEventListener("pointermove", (event) => this.move(event));
    this.canvas.addEventListener("pointerup", () => {
      if (this.dragging) this.player.rest();
      this.dragging = false;
    });
    this.canvas.addEventListener("pointerleave", () => (this.tip.hidden = true));
  }

  // Rows from top to bottom, with their labels at the left.
  build() {
    const { record, track, marks, annotations } = this.player;
    this.root.hidden = !this.player.moving;
    if (this.root.hidden) return;
    this.rows = [{ kind: "axis", high: AXIS, label: "" }];
    if (record.models.some((model) => model.scored)) this.rows.push({ kind: "curve", high: CURVE, label: "Score" });
    if (record.spans.length) this.rows.push({ kind: "spans", high: THIN, label: "Segments" });
    for (const model of record.models) {
      if (track && model.attention[track.id]) this.rows.push({ kind: "attention", high: ATTENTION, label: "Attention", model });
    }
    if (marks.length || annotations.length) this.rows.push({ kind: "marks", high: THIN, label: "Marks" });
    for (const one of record.tracks) this.rows.push({ kind: "track", high: TRACK, label: `Track ${one.id}`, track: one });
    let top = 0;
    for (const row of this.rows) [row.top, top] = [top, top + row.high];
    this.high = top;
    this.gutter.replaceChildren(...this.rows.map((row) => this.label(row)));
    this.resize();
  }

  label(row) {
    if (row.kind === "track") {
      const button = make("button", "track");
      button.type = "button";
      button.style.height = `${row.high}px`;
      button.style.setProperty("--colour", row.track.colour);
      button.setAttribute("aria-pressed", String(row.track === this.player.track));
      const face = make("img", "", button);
      face.alt = "";
      this.player.face(row.track, this.player.telling(row.track), 48).then((address) => (face.src = address), () => {});
      button.append(row.label);
      button.addEventListener("click", () => this.player.chooseTrack(row.track.id));
      return button;
    }
    const element = make("div", "label");
    element.style.height = `${row.high}px`;
    const scored = this.player.record.models.filter((model) => model.scored);
    if (row.kind === "curve" && scored.length > 1) {
      const select = make("select", "", element);
      select.setAttribute("aria-label", "Score of");
      select.add(new Option("Deciding models", ""));
      for (const model of scored) select.add(new Option(model.name, model.id));
      select.value = this.player.modelId;
      select.title = "Whose scores the curve, lanes and boxes show";
      select.addEventListener("change", () => this.player.chooseModel(select.value));
    } else element.textContent = row.label;
    if (row.model) {
      element.title = `Attention of ${row.model.name}: each frame's share of its result`;
      element.style.color = row.model.colour;
    }
    return element;
  }

  resize() {
    if (!this.rows) return;
    this.wide = this.field.clientWidth;
    if (!this.wide) return;
    for (const canvas of [this.canvas, this.base]) fitCanvas(canvas, this.wide, this.high);
    this.drawBase();
    this.draw();
  }

  x(seconds) {
    return (seconds / this.player.record.endS) * this.wide;
  }

  // --- what does not change with the playhead ---

  drawBase() {
    const pen = this.base.getContext("2d");
    const style = getComputedStyle(this.root);
    this.ink = style.getPropertyValue("--ink").trim();
    this.faint = style.getPropertyValue("--faint").trim();
    this.line = style.getPropertyValue("--line").trim();
    pen.clearRect(0, 0, this.wide, this.high);
    pen.font = "10.5px system-ui, sans-serif";
    for (const row of this.rows) {
      this[`draw_${row.kind}`](pen, row);
      pen.fillStyle = this.line;
      pen.fillRect(0, row.top + row.high - 1, this.wide, 1);
    }
    pen.strokeStyle = this.faint;
    pen.setLineDash([1, 3]);
    for (const shot of this.player.record.shots) line(pen, this.x(shot), AXIS, this.x(shot), this.high);
    pen.setLineDash([]);
  }

  draw_axis(pen, row) {
    const { endS } = this.player.record;
    const step = STEPS_S.find((one) => this.x(one) >= 64) || endS;
    pen.fillStyle = this.faint;
    for (let at = 0; at <= endS; at += step) {
      const x = this.x(at);
      pen.fillRect(x, row.top + row.high - 6, 1, 5);
      const words = step < 1 ? clock(at).slice(0, -2) : clock(at).slice(0, -4);
      if (x + 40 < this.wide) pen.fillText(words, x + 3, row.top + 11);
    }
  }

  draw_curve(pen, row) {
    const { record, track, modelId } = this.player;
    const y = (score) => row.top + row.high - 4 - score * (row.high - 8);
    for (const span of record.spans) {
      if (track && span.track !== track.id) continue;
      pen.globalAlpha = 0.22;
      pen.fillStyle = SPAN_COLOURS[span.kind];
      pen.fillRect(this.x(span.start), row.top, Math.max(2, this.x(span.end) - this.x(span.start)), row.high);
      pen.globalAlpha = 1;
    }
    const limits = record.limits(modelId);
    for (const [score, dash] of [[limits?.likely, [5, 3]], [limits?.not_found, [2, 3]]]) {
      if (score === null || score === undefined) continue;
      pen.strokeStyle = this.faint;
      pen.setLineDash(dash);
      line(pen, 0, y(score), this.wide, y(score));
    }
    pen.setLineDash([]);
    for (const one of record.tracks) {
      if (one !== track) this.drawCurve(pen, one, y, this.faint, 0.35);
    }
    if (track) this.drawCurve(pen, track, y, this.ink, 1);
    pen.fillStyle = this.faint;
    pen.fillText("1", this.wide - 9, y(1) + 8);
    pen.fillText("0", this.wide - 9, y(0));
  }

  // Every pixel column from its lowest to its highest score; broken where the face was not found.
  drawCurve(pen, track, y, colour, alpha) {
    const columns = this.player.record.columns(track, this.player.modelId, Math.max(1, Math.floor(this.wide)));
    const gaps = track.gaps.map(([start, end]) => [this.x(start), this.x(end)]);
    pen.strokeStyle = colour;
    pen.globalAlpha = alpha;
    pen.lineWidth = 1.4;
    pen.beginPath();
    let last = null;
    let points = 0;
    columns.forEach((here, at) => {
      if (here === null) return;
      const x = at + 0.5;
      const broken = last === null || gaps.some(([start, end]) => last <= start + 1 && x >= end - 1);
      if (broken) pen.moveTo(x, y(here[0]));
      else pen.lineTo(x, y(here[0]));
      pen.lineTo(x, y(here[1]));
      pen.lineTo(x, y(here[2]));
      [last, points] = [x, points + 1];
    });
    pen.stroke();
    if (points * 6 < this.wide) {
      pen.fillStyle = colour;
      columns.forEach((here, at) => here && dot(pen, at + 0.5, y(here[1]), 2));
    }
    pen.globalAlpha = 1;
    pen.lineWidth = 1;
  }

  draw_spans(pen, row) {
    for (const span of this.player.record.spans) {
      pen.fillStyle = SPAN_COLOURS[span.kind];
      pen.globalAlpha = !this.player.track || span.track === this.player.track.id ? 1 : 0.35;
      pen.fillRect(this.x(span.start), row.top + 3, Math.max(4, this.x(span.end) - this.x(span.start)), row.high - 7);
      pen.globalAlpha = 1;
    }
  }

  draw_attention(pen, row) {
    const { pts, share } = row.model.attention[this.player.track.id];
    const most = Math.max(...share.map((value) => value), 1.5 / share.length);
    const columns = new Map();
    share.forEach((value, i) => {
      const x = Math.floor(this.x(this.player.record.seconds(pts[i])));
      columns.set(x, Math.max(columns.get(x) || 0, value));
    });
    const bar = Math.max(1, Math.min(6, this.wide / share.length - 1));
    pen.fillStyle = row.model.colour;
    for (const [x, value] of columns) {
      const high = (value / most) * (row.high - 4);
      pen.fillRect(x - bar / 2, row.top + row.high - 2 - high, bar, high);
    }
    const even = row.top + row.high - 2 - (1 / share.length / most) * (row.high - 4);
    pen.strokeStyle = this.faint;
    pen.setLineDash([2, 3]);
    line(pen, 0, even, this.wide, even);
    pen.setLineDash([]);
  }

  draw_marks(pen, row) {
    const { record, marks, annotations } = this.player;
    const middle = row.top + row.high / 2;
    pen.fillStyle = "#E69F00";
    pen.strokeStyle = this.faint;
    for (const one of annotations) {
      const x = this.x(record.seconds(one.pts));
      const wide = one.end_pts === null ? 8 : Math.max(4, this.x(record.seconds(one.end_pts)) - x);
      pen.strokeStyle = "#E69F00";
      pen.strokeRect(one.end_pts === null ? x - 4 : x, row.top + 4, wide, row.high - 9);
    }
    for (const one of marks) {
      const x = this.x(record.seconds(one.pts));
      if (one.kind === "Bookmark") star(pen, x, middle, 6);
      else pen.fillRect(x - 4, middle - 4, 8, 8);
    }
  }

  // A tick an examined frame, cividis by score; where many fall on one pixel, the highest shows.
  draw_track(pen, row) {
    const { record, modelId } = this.player;
    const { track } = row;
    const seconds = track.seconds;
    const [start, end] = [this.x(seconds[0]), this.x(seconds[seconds.length - 1])];
    pen.fillStyle = track.colour;
    pen.globalAlpha = 0.22;
    pen.fillRect(start, row.top + 3, Math.max(3, end - start), row.high - 7);
    pen.globalAlpha = 1;
    for (const [from, to] of track.gaps) hatch(pen, this.x(from), row.top + 3, this.x(to) - this.x(from), row.high - 7, this.faint);
    const columns = record.columns(track, modelId, Math.max(1, Math.floor(this.wide)));
    const room = (end - start) / Math.max(1, seconds.length);
    const wide = Math.max(1, Math.min(10, room * 0.7));
    const scores = track.scores[modelId] || track.scores[""];
    pen.strokeStyle = this.faint;
    seconds.forEach((second, i) => {
      if (scores[i] === null && room > 2) pen.strokeRect(this.x(second) - wide / 2, row.top + 6, wide, row.high - 13);
    });
    columns.forEach((here, at) => {
      if (here === null) return;
      pen.fillStyle = heat(here[1]);
      pen.fillRect(at + 0.5 - wide / 2, row.top + 5, wide, row.high - 11);
      if (wide >= 5) pen.strokeRect(at + 0.5 - wide / 2, row.top + 5, wide, row.high - 11);
    });
  }

  // --- what does ---

  draw() {
    if (!this.wide || !this.rows) return;
    const pen = this.canvas.getContext("2d");
    const { record, timeS, inS, outS } = this.player;
    pen.clearRect(0, 0, this.wide, this.high);
    pen.drawImage(this.base, 0, 0, this.wide, this.high);
    if (inS !== null || outS !== null) {
      const [from, to] = [this.x(inS ?? 0), this.x(outS ?? record.endS)];
      pen.fillStyle = "rgba(0,114,178,.35)";
      pen.fillRect(from, 0, to - from, AXIS - 1);
      pen.fillStyle = "#0072B2";
      if (inS !== null) pen.fillRect(from - 1, 0, 2, this.high);
      if (outS !== null) pen.fillRect(to - 1, 0, 2, this.high);
    }
    const x = this.x(timeS);
    pen.fillStyle = "#D55E00";
    pen.fillRect(x - 1, 0, 2, this.high);
    pen.beginPath();
    pen.moveTo(x - 5, 0);
    pen.lineTo(x + 5, 0);
    pen.lineTo(x, 7);
    pen.fill();
    this.canvas.setAttribute("aria-valuemin", "0");
    this.canvas.setAttribute("aria-valuemax", record.endS.toFixed(3));
    this.canvas.setAttribute("aria-valuenow", timeS.toFixed(3));
    this.canvas.setAttribute("aria-valuetext", clock(timeS));
  }

  rowAt(y) {
    return this.rows.find((row) => y >= row.top && y < row.top + row.high) || this.rows[0];
  }

  place(event) {
    const area = this.canvas.getBoundingClientRect();
    const x = Math.min(this.wide, Math.max(0, event.clientX - area.left));
    return { x, seconds: (x / this.wide) * this.player.record.endS, row: this.rowAt(event.clientY - area.top) };
  }

  // The examined frame that a click means: of those under the pointer the one with the highest score.
  examinedAt(track, x, reach) {
    const { record, modelId } = this.player;
    const second = (at) => (at / this.wide) * record.endS;
    const scores = track.scores[modelId] || track.scores[""];
    let best = null;
    for (let i = lastBefore(track.seconds, second(x - reach)) + 1; i < track.seconds.length && track.seconds[i] <= second(x + reach); i += 1) {
      if (best === null || (scores[i] ?? -1) > (scores[best] ?? -1)) best = i;
    }
    return best === null ? null : track.pts[best];
  }

  spanAt(x) {
    return this.player.record.spans.find((span) => x >= this.x(span.start) - 2 && x <= Math.max(this.x(span.end), this.x(span.start) + 4) + 2);
  }

  markAt(x) {
    const near = (one) => Math.abs(this.x(this.player.record.seconds(one.pts)) - x) < 7;
    return this.player.annotations.find(near) || this.player.marks.find(near);
  }

  down(event) {
    if (event.button !== 0) return;
    const { x, seconds, row } = this.place(event);
    const span = row.kind === "spans" ? this.spanAt(x) : null;
    if (span) {
      this.player.loopSpan(span);
      return;
    }
    const mark = row.kind === "marks" ? this.markAt(x) : null;
    if (mark) {
      this.player.seek(mark.pts, { track: mark.track });
      return;
    }
    this.canvas.setPointerCapture(event.pointerId);
    this.dragging = true;
    const track = row.track || (row.kind === "curve" || row.kind === "attention" ? this.player.track : null);
    const pts = track ? this.examinedAt(track, x, 4) : null;
    this.player.seek(pts ?? this.player.record.nearestPts(seconds), { track: row.track?.id, resting: false });
  }

  move(event) {
    const { x, seconds, row } = this.place(event);
    if (this.dragging) this.player.seek(this.player.record.nearestPts(seconds), { resting: false });
    this.tip.textContent = this.words(x, seconds, row);
    this.tip.hidden = false;
    const left = Math.min(x + this.gutter.offsetWidth + 12, this.root.clientWidth - this.tip.offsetWidth - 4);
    Object.assign(this.tip.style, { left: `${Math.max(0, left)}px`, top: `${this.root.offsetTop - this.tip.offsetHeight - 2}px` });
  }

  words(x, seconds, row) {
    const { record, modelId } = this.player;
    const parts = [clock(seconds)];
    const track = row.track || this.player.track;
    if (track && row.kind !== "marks") {
      const pts = this.examinedAt(track, x, 3) ?? record.nearestPts(seconds);
      const face = record.faceAt(track, pts, modelId);
      parts[0] = clock(record.seconds(pts));
      parts.push(`track ${track.id}`);
      if (!face) parts.push("face not found here");
      else parts.push(face.score === null ? "not scored" : `score ${face.exact ? "" : "about "}${scoreText(face.score)}`);
    }
    if (row.kind === "attention" && track) {
      const { pts, share } = row.model.attention[track.id];
      const at = Math.max(0, lastBefore(pts, record.ptsAt(seconds)));
      parts.push(`${row.model.name}: ${(100 * share[at]).toFixed(1)} % of its result, ${(share[at] * share.length).toFixed(1)} × even`);
    }
    const span = record.spans.find((one) => (!track || one.track === track.id) && seconds >= one.start && seconds <= one.end);
    if (span) parts.push(span.words);
    if (row.kind === "spans" && this.spanAt(x)) parts.push("click to loop it");
    const mark = row.kind === "marks" && this.markAt(x);
    if (mark) parts.push(`${mark.kind} of ${mark.author}${mark.text ? `: ${mark.text}` : ""}`);
    return parts.join(" · ");
  }
}

function line(pen, x0, y0, x1, y1) {
  pen.beginPath();
  pen.moveTo(x0, y0);
  pen.lineTo(x1, y1);
  pen.stroke();
}

function dot(pen, x, y, radius) {
  pen.beginPath();
  pen.arc(x, y, radius, 0, 2 * Math.PI);
  pen.fill();
}

function star(pen, x, y, radius) {
  pen.beginPath();
  for (let i = 0; i < 10; i += 1) {
    const far = i % 2 ? radius * 0.45 : radius;
    const turn = (i * Math.PI) / 5 - Math.PI / 2;
    pen.lineTo(x + far * Math.cos(turn), y + far * Math.sin(turn));
  }
  pen.fill();
}

function hatch(pen, left, top, wide, high, colour) {
  pen.save();
  pen.beginPath();
  pen.rect(left, top, wide, high);
  pen.clip();
  pen.strokeStyle = colour;
  pen.strokeRect(left, top, wide, high);
  for (let x = left - high; x < left + wide; x += 6) line(pen, x, top + high, x + high, top);
  pen.restore();
}
