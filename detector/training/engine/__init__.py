"""The engine of training: module, fit, run log, configs, losses, schedule."""
