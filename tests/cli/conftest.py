"""The study of the tests of `augflow verify`, for commands that need a whole one."""

from tests.verify.conftest import study

__all__ = ["study"]
