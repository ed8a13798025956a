# SPDX-License-Identifier: PostgreSQL
"""The stand-in for the Reevo API that the tests talk to."""
