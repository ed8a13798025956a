# SPDX-License-Identifier: PostgreSQL
"""The simulator for the Reevo API that the tests talk to."""
