package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/registryctl/registryctl/htpasswd"
)

// otherProgram is one whose store holds the text.
func otherProgram(text string) *Program {
	return &Program{
		Name: "kubectl registryctl",
		Flag: "--secret",
		Open: func(Access) (Store, string) {
			return &stream{in: strings.NewReader(text), out: io.Discard}, "secret a/b"
		},
		DryRun: func() string { return "" },
		Adapt:  func(*cobra.Command) {},
	}
}

func mainOf(p *Program, args ...string) (status int, stdout, stderr string) {
	var out, errOut bytes.Buffer
	status = p.Main(append([]string{"kubectl-registryctl"}, args...), strings.NewReader(""), &out, &errOut)
	return status, out.String(), errOut.String()
}

// What a hint of the program's own names is not translated; the others speak of
// no flag that it has not.
func TestOwnHints(t *testing.T) {
	p := otherProgram("")
	p.Open = func(Access) (Store, string) {
		return failingStore{Fail("see registryctl check", "failed")}, "secret a/b"
	}
	_, _, stderr := mainOf(p, "list")
	assert.Equal(t, "kubectl registryctl: cannot list the users: failed\nkubectl registryctl: hint: see registryctl check\n", stderr)

	for _, args := range [][]string{
		{"import", "--generate", "-o", "json"},
		{"import", "--exit-code"},
		{"add", "elton", "--print", "--generate"},
		{"add", "elton", "--update", "--generate"},
	} {
		status, _, stderr := mainOf(p, args...)
		assert.Equal(t, 2, status, args)
		assert.NotRegexp(t, ` -f\b|--mode|registryctl`, stderr, args)
	}
}

type failingStore struct{ err error }

func (s failingStore) Read(context.Context) (*htpasswd.File, error) { return nil, s.err }
func (s failingStore) Update(context.Context, func(*htpasswd.File) error) (bool, error) {
	return false, s.err
}

// Where an edit is only tried, that is said behind it, and not a part of the name.
func TestDryRunOfAProgram(t *testing.T) {
	p := otherProgram("elton:" + exampleHash + " ") // no newline, for check to mend
	p.DryRun = func() string { return "(server dry run)" }
	for want, args := range map[string][]string{
		"kubectl registryctl: added \"francis\" to secret a/b (server dry run)\n":   {"add", "francis", "--hash", exampleHash},
		"kubectl registryctl: removed \"elton\" from secret a/b (server dry run)\n": {"remove", "elton"},
		"kubectl registryctl: \"nobody\" is not in secret a/b\n":                    {"remove", "nobody", "--if-exists"},
		"kubectl registryctl: secret a/b: everybody listed can log in; 1 warning\n": {"check", "--fix"},
	} {
		status, stdout, stderr := mainOf(p, args...)
		assert.Zero(t, status)
		assert.Equal(t, want, stderr)
		assert.NotContains(t, stdout, "dry run")
		assert.NotContains(t, stdout, ": fixed: ")
	}
}

// Without a name for the text, only the registry is asked.
func TestVerifyOfAProgramWithoutAText(t *testing.T) {
	registry := hospitableRegistry(t)
	p := otherProgram("")
	p.Open = func(Access) (Store, string) { return failingStore{Misuse("", "--secret is missing")}, "" }
	t.Setenv("PW", "d0cker")
	status, _, stderr := mainOf(p, "verify", "elton", "--password-env", "PW", "--registry", registry)
	assert.Zero(t, status)
	assert.Equal(t, "kubectl registryctl: "+registry+" lets \"elton\" in\n", stderr)
}

// Another program has its own names in the hints, also in those of a report.
func TestProgramHints(t *testing.T) {
	status, stdout, stderr := mainOf(otherProgram("elton:\n"), "check", "-o", "json")
	assert.Equal(t, 7, status)
	const hint = "kubectl registryctl passwd sets a new password, as bcrypt"
	assert.Equal(t, "kubectl registryctl: secret a/b: 1 error and 0 warnings\nkubectl registryctl: hint: "+hint+"\n", stderr)
	var report checkReport
	require.NoError(t, json.Unmarshal([]byte(stdout), &report))
	require.Len(t, report.Findings, 1)
	assert.Equal(t, hint, report.Findings[0].Hint)
}
