"""The one oracle of every run of a node in front of the simulated charger, and of the client alone, by the catalog.

``history`` is what the charger held, ``delivered`` the energy that its meter has let through; ``sent`` what a node may
send, by ``command`` ever and by ``link`` at that moment, ``asked`` which writes somebody has wished for (``wish``),
``unasked`` what a node writes by itself, ``fate`` what became of each wish; ``shown`` what an entity has to show,
``truth`` how old that may be, ``line`` how often values and subscriptions have to come, ``sessions`` and ``restarts``
what has to be counted. ``client`` judges each execution of the fuzzer. ``findings`` is what was not so, ``contract``
has the numbers.
"""
