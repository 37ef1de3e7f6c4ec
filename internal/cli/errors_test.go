package cli

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/registryctl/registryctl/htpasswd"
)

// Of a file that is fine nobody is told to mend it, if an edit would make a line
// of it too long.
func TestLineTooLong(t *testing.T) {
	hintOf := func(text string) string {
		t.Helper()
		var out, errOut bytes.Buffer
		require.Equal(t, 7, Main([]string{program, "user", "rename", "a", "abcdef", "-f", create(t, text)}, nil, &out, &errOut))
		message, hint, _ := strings.Cut(errOut.String(), "\n")
		assert.Contains(t, message, "line longer than 65535 bytes")
		return hint
	}
	const user = "a:$2y$04$S.3MoMrmoS0e9Qu9EPuZGe9DWg3ImZkflqdb5sWGt8lDtVW7q0UkS"
	longest := user + strings.Repeat("x", htpasswd.MaxLineBytes-len(user))
	assert.Equal(t, "  hint: nothing was changed; shorten the text after the hash on the user's line\n", hintOf(longest+"\n"))
	assert.Regexp(t, "^  hint: the registry refuses every user until this is fixed: registryctl check --fix -f .*\n$", hintOf(longest+"x\n"))
}
