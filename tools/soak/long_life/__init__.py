"""Thirty days of the full example on a simulated charger in a few minutes of virtual time.

``life`` runs the days, ``story`` says what happens on each; the oracle judges all the while.
"""
