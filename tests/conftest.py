"""Settings of every test: one hypothesis profile, the same examples each time."""

from hypothesis import settings

# Deadlines measure the machine, not the code; a random example that fails only once in CI teaches nobody.
settings.register_profile("book", deadline=None, derandomize=True, max_examples=100)
settings.load_profile("book")
