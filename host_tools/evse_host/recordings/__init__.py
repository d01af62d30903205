"""Sessions with a charger as text: written, judged by the protocol's rules, and played back."""
