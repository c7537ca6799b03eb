//go:build tools

// Package tools names the programs that are built, so that `go mod tidy` keeps what they need.
package tools

import (
	_ "github.com/grafana/loki/v3/clients/cmd/promtail"
	_ "github.com/grafana/loki/v3/cmd/loki"
)
