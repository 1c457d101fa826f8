"""What each specialist is worth on labelled clips, what its cue measures there, and what should be done about it."""
