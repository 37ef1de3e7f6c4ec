package htpasswd

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Who imports the library inherits neither a command line nor a terminal.
func TestImports(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip(err)
	}
	out, err := exec.Command("go", "list", "-deps", "./...").Output()
	require.NoError(t, err)
	deps := strings.Fields(string(out))
	require.Contains(t, deps, "golang.org/x/crypto/bcrypt")
	for _, dep := range deps {
		for _, forbidden := range []string{"spf13", "golang.org/x/term", "registryctl/internal/cli", "registryctl/internal/term", "k8s.io"} {
			assert.NotContains(t, dep, forbidden)
		}
	}
}
