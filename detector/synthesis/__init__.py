"""Real faces -> labelled pseudo-fakes with masks, deterministic by seed: blends, re-drawn faces, animated portraits."""
