"""Messages between services: the outbox, the bus in process and over RabbitMQ, dispatch to consumers."""
