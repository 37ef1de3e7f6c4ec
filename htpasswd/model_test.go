package htpasswd

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"github.com/registryctl/registryctl/internal/testserver"
	"github.com/registryctl/registryctl/testdata/wild"
)

// The model that the fuzz tests go by says of every wild file and user what the
// real registry said; lint's TestWild asks the registry again.
func TestModelAgreesWithTheRegistry(t *testing.T) {
	compared := 0
	for v := range wild.Verdicts() {
		if v.Server != "distribution" || v.Version < "3" {
			continue
		}
		text, err := wild.Files.ReadFile(v.File)
		require.NoError(t, err)
		users, ok := testserver.RegistryReads(string(text))
		hash, listed := users[v.User]
		in := ok && listed && bcrypt.CompareHashAndPassword([]byte(hash), []byte(v.Password)) == nil
		assert.Equal(t, v.In, in, "%s: user %q", v.File, v.User)
		compared++
	}
	assert.Greater(t, compared, 600)
}
