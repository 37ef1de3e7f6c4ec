//go:build !linux

package main

import "errors"

// record needs a terminal, which not every system gives to a program.
func record(string, []string) (string, error) { return "", errors.ErrUnsupported }
