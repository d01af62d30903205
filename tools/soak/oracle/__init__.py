"""The one oracle of every run of a node in front of the simulated charger, by the catalog alone.

``history`` is what the charger held, ``shown`` what an entity has to show for it, ``sent`` what a node may send, and
``delivered`` the energy that the meter has let through.
"""
