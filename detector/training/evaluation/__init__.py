"""Measuring models: thresholds, predictions, baselines, cards."""
