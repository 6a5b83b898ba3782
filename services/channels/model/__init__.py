"""Defines channel, driver, outgoing and inbound message, report and outcome."""
