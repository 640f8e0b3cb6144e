"""Rules for Chinese notes."""
