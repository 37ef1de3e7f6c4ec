package basicauth

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A server is what imports this package: the library below it has no use for HTTP.
func TestImports(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip(err)
	}
	deps := func(pkg string) []string {
		out, err := exec.Command("go", "list", "-deps", "github.com/registryctl/registryctl/"+pkg).Output()
		require.NoError(t, err)
		return strings.Fields(string(out))
	}
	const basicauth = "github.com/registryctl/registryctl/htpasswd/basicauth"
	require.Contains(t, deps("htpasswd/basicauth"), basicauth)
	for _, pkg := range []string{"htpasswd", "htpasswd/lint"} {
		assert.NotContains(t, deps(pkg), basicauth, pkg)
	}
	assert.NotContains(t, deps("htpasswd"), "net/http")
	assert.NotContains(t, deps("htpasswd/lint"), "net/http")
}
