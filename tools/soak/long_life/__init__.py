"""Thirty days of the full example on a simulated charger in a few minutes of virtual time.

``life`` runs the days, ``story`` says what happens on each, ``orders`` what must be true all the while, beside the
oracle.
"""
