"""Verification of the method on an installation: criteria of acceptance, suites of known truth, a dated record."""
