"""Layouts taken apart into objects and put together anew."""
