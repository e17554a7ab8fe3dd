"""Settings: arguments < genops.yaml < environment; the only reader of the environment."""

__all__: list[str] = []
