package cli

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestColumns(t *testing.T) {
	for text, want := range map[string]int{"": 0, "elton": 5, "王小明": 6, "E\u0301lan": 4, "ＡＢ": 4, "Łódź": 4, "\u1112\u1161\u11ab\u1100\u1173\u11af": 4} {
		assert.Equal(t, want, columns(text), text)
	}
}

// A name as long as a line makes no row longer but its own.
func TestWriteColumnsOfLongName(t *testing.T) {
	long := strings.Repeat("e", 65_000)
	var out strings.Builder
	require.NoError(t, writeColumns(&out, [][]string{{"USER", "SCHEME", "COST"}, {"elton", "bcrypt", "10"}, {long, "bcrypt", "12"}}))
	narrow := strings.Repeat(" ", 37)
	assert.Equal(t, "USER "+narrow+"SCHEME  COST\nelton"+narrow+"bcrypt  10\n"+long+"  bcrypt  12\n", out.String())
}
