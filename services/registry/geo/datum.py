"""Converts GCJ-02, the shifted coordinates of maps made in China, to WGS 84.

The shift is not published officially; this is the formula that map users derived and that eviltransform (G. Zhu and
contributors, since 2013) and many others carry: series of sines on the Krasovsky 1940 ellipsoid, nothing outside China.
Its inverse is found by repetition: six rounds end far below a millimetre.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

Datum = Literal["wgs84", "gcj02"]
DATUMS: tuple[Datum, ...] = ("wgs84", "gcj02")
Floats = npt.NDArray[np.float64]
_A, _EE = 6378245.0, 0.00669342162296594323  # Krasovsky 1940: semi-major axis in metres, eccentricity squared
_WEST, _SOUTH, _EAST, _NORTH = 72.004, 0.8293, 137.8347, 55.8271


def to_gcj02(lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
    """WGS 84 degrees as GCJ-02 shows them."""
    x, y = lon - 105.0, lat - 35.0
    waves = 20.0 * np.sin(6.0 * x * np.pi) + 20.0 * np.sin(2.0 * x * np.pi)
    d_lat = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * np.sqrt(np.abs(x)) + waves * 2.0 / 3.0
    d_lat += (20.0 * np.sin(y * np.pi) + 40.0 * np.sin(y / 3.0 * np.pi)) * 2.0 / 3.0
    d_lat += (160.0 * np.sin(y / 12.0 * np.pi) + 320.0 * np.sin(y / 30.0 * np.pi)) * 2.0 / 3.0
    d_lon = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * np.sqrt(np.abs(x)) + waves * 2.0 / 3.0
    d_lon += (20.0 * np.sin(x * np.pi) + 40.0 * np.sin(x / 3.0 * np.pi)) * 2.0 / 3.0
    d_lon += (150.0 * np.sin(x / 12.0 * np.pi) + 300.0 * np.sin(x / 30.0 * np.pi)) * 2.0 / 3.0
    phi = np.radians(lat)
    magic = 1.0 - _EE * np.sin(phi) ** 2
    inside = (lon >= _WEST) & (lon <= _EAST) & (lat >= _SOUTH) & (lat <= _NORTH)
    d_lat = d_lat * 180.0 / ((_A * (1.0 - _EE)) / (magic * np.sqrt(magic)) * np.pi)
    d_lon = d_lon * 180.0 / (_A / np.sqrt(magic) * np.cos(phi) * np.pi)
    return np.where(inside, lon + d_lon, lon), np.where(inside, lat + d_lat, lat)


def from_gcj02(lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
    """GCJ-02 degrees in WGS 84."""
    x, y = lon.copy(), lat.copy()
    for _ in range(6):
        shifted_x, shifted_y = to_gcj02(x, y)
        x, y = x + (lon - shifted_x), y + (lat - shifted_y)
    return x, y


def point_to_wgs84(lat: float, lon: float, datum: Datum) -> tuple[float, float]:
    """One point (lat, lon) of that datum in WGS 84, rounded to a centimetre where it was moved."""
    if datum == "wgs84":
        return lat, lon
    x, y = from_gcj02(np.array([lon]), np.array([lat]))
    return round(float(y[0]), 7), round(float(x[0]), 7)
