// Buttons and keys. Each command has one place here: its name, its key, its icon and what it does.

import { make } from "./picture.js";

export const SPEEDS = [0.1, 0.25, 0.5, 1, 1.5, 2, 4];

// [keys, words, icon (none: a key alone), group, what it does, when it is there]
function commands(player) {
  const video = (p) => p.moving;
  const playable = (p) => p.playable;
  return [
    [["Home"], "First frame", "first_page", "steps", () => player.stepTo(0), video],
    [["Shift+ArrowLeft"], "10 frames back", "keyboard_double_arrow_left", "steps", () => player.step(-10), video],
    [["ArrowLeft"], "1 frame back", "chevron_left", "steps", () => player.step(-1), video],
    [[" ", "k"], "Play or pause", "play_arrow", "steps", () => player.togglePlay(), video],
    [["ArrowRight"], "1 frame on", "chevron_right", "steps", () => player.step(1), video],
    [["Shift+ArrowRight"], "10 frames on", "keyboard_double_arrow_right", "steps", () => player.step(10), video],
    [["End"], "Last frame", "last_page", "steps", () => player.stepTo(-1), video],
    [[","], "Previous examined frame", "skip_previous", "examined", () => player.stepExamined(-1), (p) => p.record.examined?.length > 1],
    [["."], "Next examined frame", "skip_next", "examined", () => player.stepExamined(1), (p) => p.record.examined?.length > 1],
    [["j"], "Backwards; again: 2 and 4 times as fast", "", "", () => player.shuttle(-1), video],
    [["l"], "Forwards; again: 2 and 4 times as fast", "", "", () => player.shuttle(1), video],
    [["i"], "Segment begins here", "start", "segment", () => player.mark("in"), video],
    [["o"], "Segment ends here", "keyboard_tab", "segment", () => player.mark("out"), video],
    [["p"], "Loop the segment", "repeat", "segment", () => player.toggleLoop(), video],
    [["x"], "Forget the segment", "", "", () => player.clearSegment(), video],
    [["n"], "Annotate the segment", "edit_calendar", "note", () => player.annotateInterval(), (p) => p.moving && p.data.may_annotate],
    [["d"], "Draw a box on the picture", "select", "note", () => player.toggleBox(), (p) => p.data.may_annotate],
    [["+", "="], "Zoom in (wheel too)", "zoom_in", "view", () => player.picture.zoomBy(1.25)],
    [["-"], "Zoom out", "zoom_out", "view", () => player.picture.zoomBy(0.8)],
    [["0"], "Whole picture", "fit_screen", "view", () => player.picture.resetZoom()],
    [["m"], "Magnifier, 2 to 8 times (wheel)", "search", "view", () => player.toggleLens()],
    [["h"], "Heatmap of the chosen face", "gradient", "view", () => player.toggleHeat(), (p) => p.data.heat !== null],
    [["s"], "Sound on or off", "volume_up", "sound", () => player.toggleMute(), playable],
    [["f"], "Full screen", "fullscreen", "end", () => player.toggleFullScreen()],
    [["?"], "Keys", "keyboard", "end", () => player.toggleHelp()],
  ];
}

export class Controls {
  constructor(parent, player) {
    this.player = player;
    this.root = make("div", "controls", parent);
    this.root.setAttribute("role", "toolbar");
    this.root.setAttribute("aria-label", "Player controls");
    this.help = make("div", "help", player.root);
    this.help.hidden = true;
    this.readout = make("output", "readout");
    this.buttons = new Map();
    this.onKey = (event) => this.key(event);
    document.addEventListener("keydown", this.onKey);
  }

  close() {
    document.removeEventListener("keydown", this.onKey);
  }

  build() {
    this.commands = commands(this.player).filter(([, , , , , there]) => !there || there(this.player));
    this.buttons.clear();
    const groups = new Map();
    for (const [keys, words, icon, group, act] of this.commands) {
      if (!icon) continue;
      if (!groups.has(group)) groups.set(group, make("div", "group"));
      const button = make("button", "", groups.get(group));
      button.type = "button";
      button.title = `${words} (${keyName(keys[0])})`;
      button.setAttribute("aria-label", words);
      make("span", "icon", button).textContent = icon;
      button.querySelector("span").setAttribute("aria-hidden", "true");
      button.addEventListener("click", act);
      this.buttons.set(keys[0], button);
    }
    if (groups.has("steps")) groups.get("steps").after(this.readout);
    if (groups.has("sound")) groups.get("sound").append(this.volume());
    const ordered = [...groups.values()];
    this.root.replaceChildren(...ordered.slice(0, 1), this.readout, ...ordered.slice(1));
    if (this.player.playable) this.root.insertBefore(this.speed(), ordered[1] || null);
    const play = this.buttons.get(" ");
    if (play && !this.player.playable) {
      play.disabled = true;
      play.title = this.player.whyNot;
      make("p", "why", this.root).textContent = this.player.whyNot;
    }
    this.buildHelp();
    this.draw();
  }

  speed() {
    const select = make("select", "speed");
    select.setAttribute("aria-label", "Speed");
    select.title = "Speed";
    for (const one of SPEEDS) select.add(new Option(`${one}×`, String(one)));
    select.value = String(this.player.speed);
    select.addEventListener("change", () => this.player.setSpeed(Number(select.value)));
    this.speedChoice = select;
    return select;
  }

  volume() {
    const range = make("input", "volume");
    Object.assign(range, { type: "range", min: "0", max: "1", step: "0.05", value: String(this.player.picture.video.volume) });
    range.setAttribute("aria-label", "Volume");
    range.addEventListener("input", () => (this.player.picture.video.volume = Number(range.value)));
    return range;
  }

  buildHelp() {
    const rows = this.commands.map(([keys, words]) => {
      const row = make("div", "");
      make("kbd", "", row).textContent = keys.map(keyName).join(" or ");
      make("span", "", row).textContent = words;
      return row;
    });
    const close = make("button", "");
    close.type = "button";
    close.textContent = "Close";
    close.addEventListener("click", () => this.player.toggleHelp());
    this.help.replaceChildren(...rows, close);
  }

  draw() {
    const { player } = this;
    const pressed = {
      p: player.looping, d: player.picture.boxMode, m: player.picture.lens > 0, h: Boolean(player.data.heat?.on), s: player.picture.video.muted,
    };
    for (const [key, on] of Object.entries(pressed)) this.buttons.get(key)?.setAttribute("aria-pressed", String(on));
    this.icon(" ", player.playing ? "pause" : "play_arrow");
    this.icon("s", player.picture.video.muted ? "volume_off" : "volume_up");
    const segment = player.inS !== null && player.outS !== null;
    for (const key of ["p", "n"]) if (this.buttons.has(key)) this.buttons.get(key).disabled = !segment;
    this.readout.textContent = player.position();
  }

  icon(key, name) {
    const button = this.buttons.get(key);
    if (button) button.querySelector(".icon").textContent = name;
  }

  // Keys count while the player or the page as such has the focus, never while something is typed or chosen.
  key(event) {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || !this.commands) return;
    const [target] = event.composedPath();
    const inside = this.player.root.contains(target);
    const page = target === document.body || target === document.documentElement || target.classList?.contains("stMain");
    if (!(inside || page) || ["INPUT", "SELECT", "TEXTAREA"].includes(target.tagName)) return;
    if (target.tagName === "BUTTON" && [" ", "Enter"].includes(event.key)) return;
    if (event.key === "Escape" && !this.help.hidden) {
      this.player.toggleHelp();
      return;
    }
    const pressed = event.shiftKey && event.key.startsWith("Arrow") ? `Shift+${event.key}` : event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const found = this.commands.find(([keys]) => keys.includes(pressed));
    if (!found || this.buttons.get(found[0][0])?.disabled) return;
    event.preventDefault();
    found[4]();
  }
}

function keyName(key) {
  const names = { " ": "Space", ArrowLeft: "←", ArrowRight: "→", "Shift+ArrowLeft": "Shift ←", "Shift+ArrowRight": "Shift →" };
  return names[key] || (key.length === 1 ? key.toUpperCase() : key);
}
