"""Stall guard: keeps a pg_auto_failover 2.2 pair writable when only the link between its two nodes breaks.

What it promises, when it acts and how to read its log: docs/stall-guard.md. The parts, from pure to not:

- ``observations``: what was read from the monitor and from the primary;
- ``decisions``: what may be done about it, as steps of one transaction on the monitor;
- ``core`` with ``stall`` and ``hung``: observations in, decision out; no input or output, the clock is an argument;
- ``confirm``: the second look inside the transaction;
- ``monitor`` and ``primary``: the two databases, every wait with a time limit on our own side;
- ``runner``: one tick after the other; ``status``: what an operator or a playbook asks for.
"""
