"""Settings: arguments over environment over file; the only reader of the environment."""
