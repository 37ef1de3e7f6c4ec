//go:build !linux

package cli

var containerMarks []string

func inContainer() bool           { return false }
func containerHint(string) string { return "" }
func mountPoints() []string       { return nil }
