"""Finds protected health information and replaces it; rules for English and Chinese."""

from __future__ import annotations

from clinlp.deid.categories import PhiLabel
from clinlp.deid.deidentify import Mode, deidentify
from clinlp.deid.detect import Detector, default_detectors, find_phi, resolve

__all__ = ["Detector", "Mode", "PhiLabel", "default_detectors", "deidentify", "find_phi", "resolve"]
