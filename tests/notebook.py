"""A notebook for a test."""

from __future__ import annotations

import json


def notebook(*cells: str, tagged: int | None = None, language: str = "python", kernel: str = "python3") -> str:
    """The text of a notebook with these cells of code, of which one may be tagged `parameters`."""
    made = [
        {
            "cell_type": "code", "id": f"cell{place}", "execution_count": None, "outputs": [], "source": source,
            "metadata": {"tags": ["parameters"]} if place == tagged else {},
        }
        for place, source in enumerate(cells)
    ]  # fmt: skip
    metadata = {"kernelspec": {"name": kernel, "language": language, "display_name": kernel}}
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": made})
