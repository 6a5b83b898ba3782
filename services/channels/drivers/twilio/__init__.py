"""SMS and voice over Twilio."""
