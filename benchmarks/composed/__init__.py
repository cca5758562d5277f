"""docker-compose.yml as processes: its services, settings, order, health checks and restarts, without a container engine."""
