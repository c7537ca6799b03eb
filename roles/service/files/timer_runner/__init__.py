# Copyright The Tandem authors
# SPDX-License-Identifier: Apache-2.0
"""Run one timer's job on this host when it is this host's turn; started by the timer's unit (docs/scheduler.md)."""
