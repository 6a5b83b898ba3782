"""Tocsin: takes a tiered public warning and gets it to every resident, each by a path they can perceive."""

__version__ = "0.2.0"
