"""Config and data -> a checkpoint, weights and a measured card."""
