"""Detection as a service: key rings, one engine, answers in an interchange form, scans, and the server."""
