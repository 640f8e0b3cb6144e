"""Scores of notes against notes: entities and PHI, diagnoses, leaks."""
