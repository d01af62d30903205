"""What is kept in files: backups of a charger, ESPHome configurations, secrets."""
