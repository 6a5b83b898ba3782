"""Loudspeakers, sirens and bed shakers over MQTT."""
