"""Whether a telephone number is one that a country's numbering plan has."""

from __future__ import annotations


def is_assigned(number: str, region: str) -> bool:
    """Say whether somebody may have a number, read as dialled in a region (`US`, `CN`).

    A number that starts with `+` is read by its own country code.
    """
    import phonenumbers  # its tables load once a candidate is there

    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(number, region))
    except phonenumbers.NumberParseException:
        return False
