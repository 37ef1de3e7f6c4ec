package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) {
	runAsProgram()
	os.Exit(m.Run())
}

// What is committed is what the commands of today generate.
func TestFresh(t *testing.T) {
	files, err := generate()
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for name, text := range files {
		committed, err := os.ReadFile(filepath.Join("../..", name))
		require.NoError(t, err)
		assert.Equal(t, string(text), string(committed), "run: go run ./internal/gen")
	}
}
