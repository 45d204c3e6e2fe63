"""What may be activated: the only place that makes a Verified value."""
