"""Dumps in, annotated dumps out: in order, in constant memory, one bad record at a time."""
