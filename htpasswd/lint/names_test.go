package lint_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/registryctl/registryctl/htpasswd/lint"
)

func TestFoldName(t *testing.T) {
	groups := make(map[string][]string)
	for _, name := range []string{"elton", "Elton", "ELTON", "jos\u00e9", "jose\u0301", "JOSÉ", "jose"} {
		groups[lint.FoldName(name)] = append(groups[lint.FoldName(name)], name)
	}
	assert.Equal(t, []string{"elton", "jose", "jos\u00e9"}, slices.Sorted(maps.Keys(groups)))
}
