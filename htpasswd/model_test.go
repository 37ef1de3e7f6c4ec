package htpasswd

import (
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"github.com/registryctl/registryctl/internal/testserver"
)

// The model that the fuzz tests go by says of every wild file and user what the
// real registry said, as testdata/wild/answers.tsv has it; lint's TestWild asks
// the registry again.
func TestModelAgreesWithTheRegistry(t *testing.T) {
	table, err := os.ReadFile("../testdata/wild/answers.tsv")
	require.NoError(t, err)
	compared := 0
	for line := range strings.Lines(string(table)) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if strings.HasPrefix(line, "#") || len(fields) < 5 {
			continue
		}
		for i, f := range fields[1:3] {
			if text, err := strconv.Unquote(f); err == nil {
				fields[i+1] = text
			}
		}
		text, err := os.ReadFile("../testdata/wild/" + fields[0])
		require.NoError(t, err)
		want, err := strconv.Atoi(fields[4]) // Distribution 3.1.2
		require.NoError(t, err)

		got := http.StatusUnauthorized
		users, ok := testserver.RegistryReads(string(text))
		switch hash, listed := users[fields[1]]; {
		case !ok:
			got = http.StatusBadRequest
		case listed && bcrypt.CompareHashAndPassword([]byte(hash), []byte(fields[2])) == nil:
			got = http.StatusOK
		}
		assert.Equal(t, want, got, "%s: user %q", fields[0], fields[1])
		compared++
	}
	assert.Greater(t, compared, 600)
}
