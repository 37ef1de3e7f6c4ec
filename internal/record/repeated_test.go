package record

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestRepeated(t *testing.T) {
	for want, names := range map[string][]string{
		"":    {},
		"a":   {"b", "a", "a", "c"},
		"bdé": {"d", "b", "é", "c", "b", "d", "d", "é", "É"},
	} {
		got := ""
		for _, name := range slices.Sorted(maps.Keys(Repeated(names))) {
			got += name
		}
		assert.Equal(t, want, got, names)
	}
}
