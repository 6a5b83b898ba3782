"""The text of each message: phrases, forms, encodings; and the message made ready for its driver."""
