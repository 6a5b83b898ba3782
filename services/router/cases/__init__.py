"""Cases: calls for help and questions that wait for a person."""
