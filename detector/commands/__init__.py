"""The subcommands of `python -m detector`, one module each; `detector.cli` puts them together."""
