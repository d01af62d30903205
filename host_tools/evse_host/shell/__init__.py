"""The interactive shell without its terminal, which is in ``cli``."""
