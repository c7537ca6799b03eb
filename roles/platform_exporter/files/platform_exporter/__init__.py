"""Metrics of the platform that no other exporter has; started by ``python3 -m platform_exporter CONFIGURATION``.

A page costs nothing: each collector works in a thread of its own at its own pace, and a page shows what they found
last. A collector that fails, or hangs, shows ``tandem_collector_success 0`` and nothing else; the others go on.
"""
