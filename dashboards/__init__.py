"""The platform's dashboards, written in Python and rendered to the JSON that Grafana provisions."""
