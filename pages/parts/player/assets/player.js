// Examine's player. What comes in and what goes out is described in pages/parts/player/component.py.

import { Controls } from "./controls.js";
import { Lanes } from "./lanes.js";
import { Picture, make } from "./picture.js";
import { Record, clock, nearest } from "./record.js";
import { Strip } from "./strip.js";

const REST_MS = 120; // after the last step of many: the browser's video follows them, the exact frame comes at their end
const FETCHES = 2; // faces at a time, so that they never hold up a frame
const players = new WeakMap();

export default function show(component) {
  const { parentElement, data } = component;
  let player = players.get(parentElement);
  if (!player || player.data.key !== data.key) {
    player?.close();
    player = new Player(component);
    players.set(parentElement, player);
    player.start();
  } else player.update(component);
  return () => players.get(parentElement)?.close();
}

class Player {
  constructor(component) {
    this.component = component;
    this.data = component.data;
    this.record = new Record(this.data);
    this.modelId = "";
    this.track = null;
    this.pts = this.data.here.pts ?? 0;
    this.timeS = this.record.seconds(this.pts);
    this.inS = this.outS = null;
    this.looping = this.playing = false;
    this.speed = 1;
    this.reverse = 0;
    this.shift = 0; // seconds between the file's time and the browser's
    this.pending = []; // places told to the page that it has not answered with yet
    this.faces = new Map();
    this.queue = [];
    this.fetching = 0;
    this.root = make("div", "player", component.parentElement);
    this.root.setAttribute("role", "group");
    this.root.setAttribute("aria-label", "Player");
    this.stage = make("div", "stage", this.root);
    this.stage.tabIndex = 0;
    this.stage.setAttribute("role", "img");
    this.picture = new Picture(this.stage, this);
    this.controls = new Controls(this.root, this);
    this.lanes = new Lanes(this.root, this);
    this.strip = new Strip(this.root, this);
    this.sizes = new ResizeObserver(() => this.resize());
    this.sizes.observe(this.root);
    this.onWindow = () => this.resize();
    window.addEventListener("resize", this.onWindow);
    document.addEventListener("fullscreenchange", this.onWindow);
  }

  close() {
    this.pause();
    clearTimeout(this.resting);
    this.sizes.disconnect();
    window.removeEventListener("resize", this.onWindow);
    document.removeEventListener("fullscreenchange", this.onWindow);
    this.controls.close();
    this.picture.video.removeAttribute("src");
    for (const address of this.addresses || []) URL.revokeObjectURL(address);
    this.root.remove();
  }

  get moving() {
    return this.data.kind === "video";
  }

  get playable() {
    return Boolean(this.data.video) && !this.failed;
  }

  get whyNot() {
    return this.data.why_not || "This browser cannot play the file's encoding. Every frame can be stepped to, decoded by the program itself.";
  }

  get marks() {
    return this.data.marks;
  }

  get annotations() {
    return this.data.annotations;
  }

  async start() {
    const { video } = this.picture;
    video.addEventListener("error", () => this.cannotPlay());
    video.addEventListener("ended", () => this.pause());
    video.addEventListener("pause", () => this.playing && !video.ended && this.pause());
    video.addEventListener("seeked", () => {
      if (!this.playing && this.picture.exactPts !== this.pts) this.picture.hideExact();
    });
    if (this.data.video) {
      const first = new Promise((done) => {
        video.requestVideoFrameCallback?.((_, frame) => done(frame.mediaTime));
        setTimeout(() => done(null), 4000);
        video.addEventListener("error", () => done(null));
      });
      video.src = this.data.video;
      first.then((mediaTime) => {
        if (mediaTime !== null && this.record.moments.length) this.shift = this.record.seconds(this.record.moments[0]) - mediaTime;
        this.ready = true;
      });
    } else video.hidden = true;
    this.picture.setSize(...this.data.size);
    this.controls.build();
    this.resize();
    this.chase();
    try {
      await this.record.load(this.data);
    } catch (error) {
      this.picture.say(String(error.message));
    }
    this.pts = this.record.moments.length ? this.record.moments[nearest(this.record.moments, this.pts)] : this.pts;
    this.timeS = this.record.seconds(this.pts);
    this.track = this.record.track(this.data.here.track) || this.record.tracks[0] || null;
    this.last = { ...this.data.here, turn: this.data.turn };
    this.told = { track: this.track?.id ?? null, pts: this.pts };
    this.rebuild();
    this.chase();
  }

  rebuild() {
    this.controls.build();
    this.strip.build();
    this.lanes.build();
    this.resize();
    this.draw();
  }

  // A run of the page: its data may have changed, and the place it shows may be another than ours.
  update(component) {
    const before = this.data;
    this.component = component;
    this.data = component.data;
    const told = (one) => one.pts === this.data.here.pts && one.track === this.data.here.track;
    const answer = this.pending.findIndex(told);
    const moved = this.last && (this.last.pts !== this.data.here.pts || this.last.track !== this.data.here.track || this.last.turn !== this.data.turn);
    this.last = { ...this.data.here, turn: this.data.turn };
    if (JSON.stringify([before.marks, before.annotations, before.may_annotate]) !== JSON.stringify([this.data.marks, this.data.annotations, this.data.may_annotate])) {
      this.controls.build();
      this.lanes.build();
    } else this.lanes.resize(); // the theme may have changed
    if (answer >= 0) this.pending.splice(0, answer + 1);
    else if (moved && this.data.here.pts !== null) {
      this.pending = [];
      this.pause();
      this.told = { ...this.data.here };
      this.seek(this.data.here.pts, { track: this.data.here.track });
    }
    this.draw();
  }

  // --- moving ---

  seek(pts, { track, resting = true } = {}) {
    if (track !== undefined && track !== null && track !== this.track?.id) this.setTrack(track);
    this.goTo(pts);
    if (this.playable) this.picture.video.currentTime = this.browserTime();
    if (resting && !this.playing) this.rest();
    else if (!this.playable) this.chase();
  }

  goTo(pts) {
    this.pts = pts;
    this.timeS = this.record.seconds(pts);
    this.draw();
  }

  // Inside the frame's time rather than on its edge, where rounding would show the one before.
  browserTime() {
    const { moments } = this.record;
    const next = moments[nearest(moments, this.pts) + 1];
    const inside = next === undefined ? 0.001 : Math.min(0.02, this.record.seconds(next - this.pts) / 2);
    return Math.max(0, this.timeS - this.shift + inside);
  }

  step(by) {
    this.pause();
    const { moments } = this.record;
    if (!moments.length) return;
    const at = Math.min(moments.length - 1, Math.max(0, nearest(moments, this.pts) + by));
    if (moments[at] !== this.pts) this.seek(moments[at]);
  }

  stepTo(index) {
    const pts = this.record.moments.at(index);
    this.pause();
    if (pts !== undefined) this.seek(pts);
  }

  stepExamined(by) {
    this.pause();
    const examined = this.track ? this.track.pts : this.record.examined;
    const next = by > 0 ? examined.find((pts) => pts > this.pts) : examined.findLast((pts) => pts < this.pts);
    if (next !== undefined) this.seek(next);
  }

  // The playhead rests here: show the exact frame, and tell the page once it is there.
  rest() {
    clearTimeout(this.resting);
    this.resting = setTimeout(async () => {
      const { pts } = this;
      await this.chase();
      if (pts !== this.pts || this.playing) return;
      const place = { track: this.track?.id ?? null, pts };
      if (place.pts !== this.told?.pts || place.track !== this.told?.track) {
        this.told = place;
        this.pending.push(place);
        this.component.setTriggerValue("rested", place);
      }
      const at = nearest(this.record.moments, pts);
      for (const near of [this.record.moments[at + 1], this.record.moments[at - 1]]) {
        if (near !== undefined) this.picture.fetchFrame(near).catch(() => {});
      }
    }, this.playable ? REST_MS : 0);
  }

  // Fetch the exact frame of the playhead, one at a time, until it is the one shown.
  chase() {
    this.chasing ||= this.chaseOn().finally(() => (this.chasing = null));
    return this.chasing;
  }

  async chaseOn() {
    while (!this.playing && this.picture.exactPts !== this.pts) {
      const { pts } = this;
      try {
        const address = await this.picture.fetchFrame(pts);
        if (this.playing) return;
        if (pts === this.pts || !this.playable) this.picture.showExact(address, pts);
        this.picture.say("");
      } catch (error) {
        if (pts !== this.pts) continue;
        this.picture.say(error.message);
        return;
      }
      this.controls.draw();
    }
  }

  async exactFrame(pts) {
    return this.image(`${this.data.frame}/${pts}?width=${Math.min(this.data.size[0], 1920)}`);
  }

  async image(address) {
    const answer = await fetch(address);
    if (!answer.ok) throw new Error(answer.status === 422 ? await answer.text() : "This frame cannot be fetched: open the page again.");
    const local = URL.createObjectURL(await answer.blob());
    (this.addresses ||= []).push(local);
    const image = new Image();
    image.src = local;
    await image.decode();
    return local;
  }

  // A face of a track, cut out of its frame; a few at a time, each once.
  face(track, index, side) {
    const [x0, y0, x1, y1] = this.record.box(track, index);
    const half = 0.62 * Math.max(x1 - x0, y1 - y0);
    const [x, y] = [(x0 + x1) / 2, (y0 + y1) / 2];
    const box = [x - half, y - half, x + half, y + half].map((edge) => edge.toFixed(1)).join(",");
    const address = `${this.data.frame}/${track.pts[index]}?width=${2 * side}&box=${box}`;
    if (!this.faces.has(address)) {
      this.faces.set(address, new Promise((done, failed) => this.queue.push(() => this.image(address).then(done, failed))));
      this.nextFace();
    }
    return this.faces.get(address);
  }

  nextFace() {
    if (this.fetching >= FETCHES || !this.queue.length) return;
    this.fetching += 1;
    Promise.resolve(this.chasing)
      .then(this.queue.shift())
      .finally(() => {
        this.fetching -= 1;
        this.nextFace();
      });
  }

  // The face that stands for a track: its highest score.
  telling(track) {
    const scores = track.scores[""];
    return scores.reduce((best, score, i) => ((score ?? -1) > (scores[best] ?? -1) ? i : best), 0);
  }

  // --- playing ---

  togglePlay() {
    if (this.playing || this.reverse) this.pause();
    else this.play(this.speed);
  }

  play(rate) {
    this.pause();
    if (!this.playable) return;
    clearTimeout(this.resting);
    const { video } = this.picture;
    if (this.pts === this.record.moments.at(-1)) this.goTo(this.record.moments[0]);
    if (Math.abs(video.currentTime - this.browserTime()) > 0.02) video.currentTime = this.browserTime();
    video.playbackRate = rate;
    this.playing = true;
    const turn = (this.turn = {});
    const frame = (_, shown) => {
      if (!this.playing || this.turn !== turn) return;
      this.picture.hideExact();
      this.goTo(this.record.nearestPts(shown.mediaTime + this.shift));
      if (this.looping && this.outS !== null && (this.timeS >= this.outS || this.timeS < this.inS - 0.5)) {
        video.currentTime = Math.max(0, this.inS - this.shift + 0.001);
      }
      video.requestVideoFrameCallback(frame);
    };
    video.requestVideoFrameCallback(frame);
    video.play().catch(() => this.pause());
    this.controls.draw();
  }

  pause() {
    clearInterval(this.reversing);
    const moved = this.playing || this.reverse;
    this.playing = false;
    this.reverse = 0;
    this.picture.video.pause();
    if (!moved) return;
    this.controls.draw();
    this.rest();
  }

  // J and L: the video forwards, and frame by frame backwards or where the browser plays nothing.
  shuttle(direction) {
    const faster = { 0: 1, 1: 2, 2: 4, 4: 4 };
    const now = direction > 0 ? (this.playing ? this.picture.video.playbackRate : Math.max(0, this.reverse)) : Math.max(0, -this.reverse);
    const rate = faster[now] || 1;
    if (direction > 0 && this.playable) {
      this.play(rate);
      return;
    }
    this.pause();
    clearTimeout(this.resting);
    this.reverse = direction * rate;
    const started = { ms: performance.now(), s: this.timeS };
    this.reversing = setInterval(() => {
      if (this.picture.video.seeking) return;
      const wanted = started.s + (this.reverse * (performance.now() - started.ms)) / 1000;
      this.seek(this.record.nearestPts(wanted), { resting: false });
      if (wanted <= 0 || wanted >= this.record.endS) this.pause();
    }, 40);
  }

  setSpeed(rate) {
    this.speed = rate;
    if (this.playing) this.picture.video.playbackRate = rate;
  }

  cannotPlay() {
    if (this.failed) return;
    this.pause();
    this.failed = true;
    this.picture.video.hidden = true;
    this.controls.build();
    this.chase();
  }

  toggleMute() {
    const { video } = this.picture;
    video.muted = !video.muted;
    this.controls.draw();
  }

  // --- segments and annotations ---

  mark(end) {
    if (end === "in") this.inS = this.timeS;
    else this.outS = this.timeS;
    if (this.inS !== null && this.outS !== null && this.outS < this.inS) [this.inS, this.outS] = [this.outS, this.inS];
    this.draw();
  }

  toggleLoop() {
    this.looping = !this.looping && this.outS !== null;
    if (this.looping && !this.playing) {
      this.goTo(this.record.nearestPts(this.inS));
      this.play(this.speed);
    }
    this.draw();
  }

  clearSegment() {
    this.inS = this.outS = null;
    this.looping = false;
    this.draw();
  }

  // A segment of the conclusion: mark it, show the frame to look at, and loop it while it plays.
  loopSpan(span) {
    const frame = this.record.moments.length > 1 ? this.record.seconds(this.record.moments[1] - this.record.moments[0]) : 0;
    [this.inS, this.outS] = [span.start, Math.max(span.end, span.start + 4 * frame)];
    this.looping = true;
    this.seek(span.pts, { track: span.track });
  }

  annotateInterval() {
    if (this.inS === null || this.outS === null) return;
    this.annotate({ kind: "interval", pts: this.record.nearestPts(this.inS), end_pts: this.record.nearestPts(this.outS), box_xyxy: null });
  }

  toggleBox() {
    this.pause();
    this.picture.boxMode = !this.picture.boxMode;
    this.draw();
  }

  boxDrawn(box) {
    this.picture.boxMode = false;
    this.annotate({ kind: "box", pts: this.pts, end_pts: null, box_xyxy: box });
    this.draw();
  }

  annotate(gesture) {
    this.component.setTriggerValue("annotated", { ...gesture, track: this.track?.id ?? null });
  }

  // --- choosing and looking ---

  setTrack(id) {
    this.track = this.record.track(id) || this.track;
    this.strip.build();
    this.lanes.build();
  }

  // Another track, and where it is not at this time the frame of it that is nearest.
  chooseTrack(id) {
    const track = this.record.track(id);
    this.pause();
    const there = this.record.faceAt(track, this.pts, this.modelId);
    this.seek(there ? this.pts : track.pts[nearest(track.pts, this.pts)], { track: id });
  }

  pictureClicked([x, y]) {
    const hit = this.onPicture().faces.filter(({ box }) => x >= box[0] && x <= box[2] && y >= box[1] && y <= box[3]);
    if (hit.length && hit[0].track !== this.track?.id) this.chooseTrack(hit[0].track);
    else if (!hit.length) this.togglePlay();
    this.stage.focus();
  }

  chooseModel(modelId) {
    this.modelId = modelId;
    this.lanes.resize();
    this.strip.build();
    this.draw();
  }

  toggleLens() {
    this.picture.lens = this.picture.lens ? 0 : 3;
    this.draw();
  }

  toggleHeat() {
    this.component.setTriggerValue("heat", !this.data.heat?.on);
  }

  toggleFullScreen() {
    if (document.fullscreenElement) document.exitFullscreen();
    else this.root.requestFullscreen?.();
  }

  toggleHelp() {
    this.controls.help.hidden = !this.controls.help.hidden;
    if (!this.controls.help.hidden) this.controls.help.querySelector("button").focus();
  }

  // What lies on the picture at the playhead.
  onPicture() {
    const { pts, record, modelId } = this;
    const faces = [];
    for (const track of record.tracks) {
      const face = record.faceAt(track, pts, modelId);
      if (face) faces.push({ ...face, track: track.id, colour: track.colour });
    }
    const annotations = this.annotations.filter((one) => one.box_xyxy && one.pts === pts);
    return { faces, chosen: this.track?.id, annotations: annotations.map((one) => ({ ...one, box: one.box_xyxy })) };
  }

  position() {
    const { moments } = this.record;
    if (!this.moving) return "Still picture";
    const frame = moments.length ? ` · frame ${nearest(moments, this.pts) + 1} of ${moments.length}` : "";
    const exact = this.picture.exactPts === this.pts ? " · exact" : "";
    return `${clock(this.timeS)} / ${clock(this.record.endS)}${frame}${exact}`;
  }

  draw() {
    const { heat } = this.data;
    const shown = heat?.on && heat.png && heat.pts === this.pts && heat.track === this.track?.id && !this.playing;
    this.picture.heat.hidden = !shown;
    if (shown && this.picture.heat.src !== heat.png) this.picture.heat.src = heat.png;
    if (shown) this.picture.heat.style.opacity = heat.opacity;
    this.picture.note(heat?.on && heat.note && heat.pts === this.pts && !this.playing ? heat.note : "");
    this.picture.draw();
    this.lanes.draw();
    this.strip.draw();
    this.controls.draw();
    this.stage.setAttribute("aria-label", `Picture at ${clock(this.timeS)}`);
  }

  resize() {
    const wide = this.root.clientWidth;
    if (!wide) return;
    const full = document.fullscreenElement !== null && this.root.matches(":fullscreen");
    const others = this.controls.root.offsetHeight + this.lanes.root.offsetHeight + this.strip.root.offsetHeight;
    const page = this.root.getRootNode().host?.closest(".stMain");
    const top = this.root.getBoundingClientRect().top + (page?.scrollTop || 0);
    const most = full ? window.innerHeight - others - 24 : Math.min(560, Math.max(200, window.innerHeight - top - others - 30));
    const high = Math.round(full ? most : Math.min(most, (wide * this.data.size[1]) / this.data.size[0]));
    if (this.stage.clientHeight !== high) this.stage.style.height = `${high}px`;
    this.picture.fit();
    if (this.lanes.wide !== this.lanes.field.clientWidth) this.lanes.resize();
  }
}
