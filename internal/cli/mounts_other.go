//go:build !linux

package cli

var containerMarks []string

func inContainer() bool     { return false }
func mountPoints() []string { return nil }
