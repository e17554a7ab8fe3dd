"""Rules: the policy files of the user, evaluated before each call."""
