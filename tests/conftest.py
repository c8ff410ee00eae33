"""What holds for every test."""

from hypothesis import HealthCheck, settings

settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")
settings.register_profile("fuzz", settings.get_profile("untimed"), max_examples=2500)
"""`make fuzz`: 250 calls of each operation and 10,000 bodies, instead of 20 and 400."""
