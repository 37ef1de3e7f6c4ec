//go:build !linux

package cli

func inContainer() bool     { return false }
func mountPoints() []string { return nil }
