"""The charger as an OCPP charge point. Pure: profiles, masters, authorization, configuration, model, outbox, v16, v201.
With a file: journal. With a socket or a charger: link, station, bridge."""
