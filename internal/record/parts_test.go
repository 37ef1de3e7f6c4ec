package record

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSplit(t *testing.T) {
	whole := []byte(strings.Repeat("elton:x\n", 1000))
	for _, n := range []int{1, 2, 3, 8} {
		parts := split(whole, n)
		require.Len(t, parts, n)
		require.Equal(t, whole, bytes.Join(parts, nil))
		for _, part := range parts {
			require.Equal(t, byte('\n'), part[len(part)-1])
		}
	}
	require.Equal(t, [][]byte{[]byte("a"), {}, {}}, split([]byte("a"), 3))
}

func TestPartsOfAShortText(t *testing.T) {
	require.Equal(t, [][]byte{{}}, Parts([]byte{}))
	require.Len(t, Parts(bytes.Repeat([]byte("a\n"), worthIt/4)), 1)
}
