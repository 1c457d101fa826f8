// The filmstrip of the chosen track: strongest, weakest and evenly spaced faces, outlined by score.

import { clock, heat, scoreText } from "./record.js";
import { make } from "./picture.js";

const FACE_PX = 64;

export class Strip {
  constructor(parent, player) {
    this.player = player;
    this.root = make("div", "strip", parent);
    this.root.setAttribute("role", "group");
    this.root.setAttribute("aria-label", "Filmstrip");
  }

  build() {
    const { track, record, modelId } = this.player;
    this.root.hidden = !track || !this.player.moving;
    if (this.root.hidden) return;
    const scores = track.scores[modelId] || track.scores[""];
    this.buttons = track.strip.map((index) => {
      const pts = track.pts[index];
      const button = make("button", "");
      button.type = "button";
      button.dataset.pts = String(pts);
      button.style.setProperty("--score", scores[index] === null ? "var(--faint)" : heat(scores[index]));
      const image = make("img", "", button);
      image.alt = "";
      this.player.face(track, index, FACE_PX).then((address) => (image.src = address), () => {});
      const words = make("span", "", button);
      words.textContent = scoreText(scores[index]);
      button.title = `Track ${track.id} · ${clock(record.seconds(pts))} · score ${scoreText(scores[index])}`;
      button.setAttribute("aria-label", button.title);
      button.addEventListener("click", () => this.player.seek(pts, { track: track.id }));
      return button;
    });
    this.root.replaceChildren(...this.buttons);
    this.draw();
  }

  draw() {
    for (const button of this.buttons || []) {
      if (Number(button.dataset.pts) === this.player.pts) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
    }
  }
}
