package cli

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Another program has its own names in the hints, also in those of a report.
func TestProgramHints(t *testing.T) {
	p := Program{
		Name: "kubectl htpasswd",
		Flag: "--secret",
		Open: func(Access) (Store, string) {
			return &stream{in: strings.NewReader("elton:\n"), out: io.Discard}, "secret a/b"
		},
		Adapt: func(*cobra.Command) {},
	}
	var out, errOut bytes.Buffer
	assert.Equal(t, 7, p.Main([]string{"kubectl-htpasswd", "check", "-o", "json"}, nil, &out, &errOut))
	const hint = "kubectl htpasswd passwd sets a new password, as bcrypt"
	assert.Equal(t, "kubectl htpasswd: secret a/b: 1 error and 0 warnings\nkubectl htpasswd: hint: "+hint+"\n", errOut.String())
	var report checkReport
	require.NoError(t, json.Unmarshal(out.Bytes(), &report))
	require.Len(t, report.Findings, 1)
	assert.Equal(t, hint, report.Findings[0].Hint)
}
