package registry

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParsePermission(t *testing.T) {
	for _, s := range []string{"pull:labs/app", "push:a", "delete:a-b/c__d/e.f", "pull:" + strings.Repeat("a", 255)} {
		p, err := ParsePermission(s)
		require.NoError(t, err, s)
		assert.Equal(t, s, string(p.Action)+":"+p.Repository)
	}
	for _, s := range []string{
		"", "push", "push:", ":a", "all:a", "Push:a", "pull,push:a", "push:A", "push:a/", "push:/a", "push:a//b", "push:a:b", "push:a b", "push:**",
		"push:a/../b", "push:a?x", "push:a\n", "pull:" + strings.Repeat("a", 256),
	} {
		_, err := ParsePermission(s)
		assert.ErrorIs(t, err, ErrPermission, s)
	}
}
