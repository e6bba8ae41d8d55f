"""The bench of the orchestration's tests."""

from __future__ import annotations

from tests.orchestration.conftest import bench, lasting_bench

__all__ = ["bench", "lasting_bench"]
