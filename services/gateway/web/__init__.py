"""The web app at `/`: pages made on the server from the same catalog and store that the REST API reads."""
