"""`python -m clinlp`: the command where its script is not on the path."""

from __future__ import annotations

from clinlp.cli import main

main()
