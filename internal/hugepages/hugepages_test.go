package hugepages_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/registryctl/registryctl/internal/hugepages"
)

// It is advice: what the memory holds, and what lies beside it, stays.
func TestPreferChangesNothing(t *testing.T) {
	memory := bytes.Repeat([]byte("registry"), 4<<20)
	for _, from := range []int{0, 1, 4095, 4096, 70_000} {
		for _, size := range []int{0, 1, 8<<20 - 1, 8 << 20, 8<<20 + 1, 20 << 20} {
			hugepages.Prefer(memory[from : from : from+size])
		}
	}
	require.Equal(t, 4<<20, bytes.Count(memory, []byte("registry")))
}
