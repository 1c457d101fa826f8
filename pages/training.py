"""Training runs."""


def render() -> None: ...
