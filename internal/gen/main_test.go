package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The committed completion scripts are those that the commands generate.
func TestCompletionsAreCurrent(t *testing.T) {
	for shell, name := range completions {
		script, err := completion(shell)
		require.NoError(t, err)
		committed, err := os.ReadFile(filepath.Join("../../completions", name))
		require.NoError(t, err)
		assert.Equal(t, string(committed), string(script), "run: go run ./internal/gen")
	}
}
