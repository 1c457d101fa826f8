// What is known of the file and its analysis, and the arithmetic over it. No drawing.

// Index of the last value <= wanted in an ascending array; -1 where there is none.
export function lastBefore(values, wanted) {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] <= wanted) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

export function nearest(values, wanted) {
  const before = lastBefore(values, wanted);
  if (before < 0) return 0;
  if (before + 1 >= values.length) return before;
  return wanted - values[before] <= values[before + 1] - wanted ? before : before + 1;
}

// 83.4567 -> "01:23.457", as the pages write it.
export function clock(seconds) {
  const total = Math.max(0, Math.round(seconds * 1000));
  const two = (value) => String(value).padStart(2, "0");
  const hours = Math.floor(total / 3600000);
  const minutes = Math.floor(total / 60000) % 60;
  const rest = `${two(Math.floor(total / 1000) % 60)}.${String(total % 1000).padStart(3, "0")}`;
  return `${hours ? `${hours}:` : ""}${two(minutes)}:${rest}`;
}

// Cividis (Nuñez et al. 2018), the scale of every score on the pages.
const CIVIDIS = [
  [0, 34, 78], [18, 53, 112], [59, 73, 108], [87, 93, 109], [112, 113, 115],
  [138, 134, 120], [165, 156, 116], [195, 179, 105], [225, 204, 85], [254, 232, 56],
];

export function heat(score) {
  const at = Math.min(1, Math.max(0, score)) * (CIVIDIS.length - 1);
  const low = Math.min(CIVIDIS.length - 2, Math.floor(at));
  const mixed = CIVIDIS[low].map((value, i) => Math.round(value + (CIVIDIS[low + 1][i] - value) * (at - low)));
  return `rgb(${mixed.join(",")})`;
}

export function scoreText(score) {
  return score === null || score === undefined ? "–" : score.toFixed(3);
}

async function json(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(answer.status === 422 ? await answer.text() : `The server answered ${answer.status}.`);
  return answer.json();
}

export class Record {
  constructor(data) {
    this.tick = data.time_base[0] / data.time_base[1];
    this.moments = []; // PTS of every displayed frame
    this.tracks = [];
    this.models = [];
    this.spans = [];
    this.shots = [];
    this.combined = null;
    this.endS = data.duration_s;
  }

  async load(data) {
    const [times, readings] = await Promise.all([json(data.times), data.readings ? json(data.readings) : null]);
    if (times.first !== null) {
      let pts = times.first;
      this.moments.push(pts);
      for (const [ticks, count] of times.steps) {
        for (let i = 0; i < count; i += 1) this.moments.push((pts += ticks));
      }
    }
    if (readings) {
      Object.assign(this, readings);
      for (const track of this.tracks) track.seconds = track.pts.map((pts) => pts * this.tick);
    }
    this.examined = [...new Set(this.tracks.flatMap((track) => track.pts))].sort((a, b) => a - b);
    if (this.moments.length) this.endS = Math.max(this.endS, this.seconds(this.moments[this.moments.length - 1]));
  }

  seconds(pts) {
    return pts * this.tick;
  }

  // The PTS of the frame that is displayed at a time.
  ptsAt(seconds) {
    if (!this.moments.length) return Math.round(seconds / this.tick);
    return this.moments[Math.max(0, lastBefore(this.moments, seconds / this.tick + 0.5))];
  }

  nearestPts(seconds) {
    if (!this.moments.length) return Math.round(seconds / this.tick);
    return this.moments[nearest(this.moments, seconds / this.tick)];
  }

  track(id) {
    return this.tracks.find((track) => track.id === id) || null;
  }

  model(id) {
    return this.models.find((model) => model.id === id) || null;
  }

  // Whose thresholds hold for the curve of a model, "" for what the deciding models say together.
  limits(modelId) {
    return this.model(modelId || this.combined);
  }

  // The face of a track at a time: box, score, and whether that frame was examined. Between two examined frames both
  // are interpolated; outside of the track and in its gaps there is none.
  faceAt(track, pts, modelId) {
    const before = lastBefore(track.pts, pts);
    if (before < 0) return null;
    const scores = track.scores[modelId] || track.scores[""];
    if (track.pts[before] === pts) return { box: this.box(track, before), score: scores[before], exact: true };
    if (before + 1 >= track.pts.length) return null;
    const second = this.seconds(pts);
    if (track.gaps.some(([start, end]) => second > start && second < end)) return null;
    const share = (pts - track.pts[before]) / (track.pts[before + 1] - track.pts[before]);
    const after = this.box(track, before + 1);
    const box = this.box(track, before).map((edge, i) => edge + (after[i] - edge) * share);
    const [one, two] = [scores[before], scores[before + 1]];
    return { box, score: one === null || two === null ? null : one + (two - one) * share, exact: false };
  }

  box(track, index) {
    return track.box.slice(4 * index, 4 * index + 4);
  }

  // Lowest and highest score in each of `columns` equal parts of the file's time; null where nothing was scored.
  columns(track, modelId, columns) {
    const scores = track.scores[modelId] || track.scores[""];
    const found = new Array(columns).fill(null);
    for (let i = 0; i < scores.length; i += 1) {
      if (scores[i] === null) continue;
      const at = Math.min(columns - 1, Math.floor((track.seconds[i] / this.endS) * columns));
      const here = found[at];
      if (here === null) found[at] = [scores[i], scores[i], scores[i]];
      else {
        here[0] = Math.min(here[0], scores[i]);
        here[1] = Math.max(here[1], scores[i]);
        here[2] = scores[i];
      }
    }
    return found;
  }
}
