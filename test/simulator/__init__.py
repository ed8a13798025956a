# SPDX-License-Identifier: PostgreSQL
"""The simulator of the Reevo API for the tests."""
