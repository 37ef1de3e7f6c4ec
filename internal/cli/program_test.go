package cli

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
)

// otherProgram is one whose store holds the text.
func otherProgram(text string) *Program {
	return &Program{
		Name:        "kubectl registryctl",
		UserCommand: "kubectl registryctl",
		Subcommands: func(p *Program) []*cobra.Command { return append(UserCommands(p), NewCheck(p)) },
		Flags:       func(root *cobra.Command) { root.PersistentFlags().String("secret", "", "`NAME`") },
		CreateFlags: func(*cobra.Command) {},
		LoginFlags: func(*cobra.Command) func(OpenOptions) (Login, error) {
			return func(OpenOptions) (Login, error) { return nil, nil }
		},
		HintFlags: []string{"secret"},
		Open: func(OpenOptions) (Text, error) {
			return Text{Store: &filter{in: strings.NewReader(text), out: io.Discard}, Name: "secret a/b"}, nil
		},
		ServerDryRun: true,
	}
}

func mainOf(p *Program, args ...string) (status int, stdout, stderr string) {
	var out, errOut bytes.Buffer
	p.Stdin, p.Stdout, p.Stderr = strings.NewReader(""), &out, &errOut
	status = p.Main(append([]string{"kubectl-registryctl"}, args...))
	return status, out.String(), errOut.String()
}

// A hint is a command of the program, with the flags that were given.
func TestHints(t *testing.T) {
	status, _, stderr := mainOf(otherProgram("elton:x\n"), "add", "elton", "--secret", "registry auth", "--generate")
	assert.Equal(t, 6, status)
	assert.Equal(t, "kubectl registryctl: cannot add \"elton\": already in secret a/b\n"+
		"  hint: kubectl registryctl passwd --generate elton --secret "+quote("registry auth")+"\n", stderr)

	for _, args := range [][]string{
		{"import", "--exit-code"},
		{"add", "elton", "--print", "--generate"},
		{"add", "elton", "--update", "--generate"},
	} {
		status, _, stderr := mainOf(otherProgram(""), args...)
		assert.Equal(t, 2, status, args)
		assert.NotRegexp(t, ` -f\b|--mode|registryctl user`, stderr, args)
	}
}

// A dry run says that it is one, and writes nothing.
func TestDryRun(t *testing.T) {
	for want, args := range map[string][]string{
		"added \"francis\" to secret a/b (server dry run)\n":   {"add", "francis", "--hash", exampleHash, "--dry-run=server"},
		"removed \"elton\" from secret a/b (dry run)\n":        {"remove", "elton", "--dry-run"},
		"\"nobody\" is not in secret a/b\n":                    {"remove", "nobody", "--if-exists", "--dry-run"},
		"renamed \"elton\" to \"e\" in secret a/b (dry run)\n": {"rename", "elton", "e", "--dry-run=client"},
	} {
		status, stdout, stderr := mainOf(otherProgram("elton:"+exampleHash+"\n"), args...)
		assert.Zero(t, status)
		assert.Contains(t, stderr, want)
		assert.NotContains(t, stdout, "dry run")
	}
}

// Without a name for the text, only the registry is asked.
func TestVerifyOfAProgramWithoutAText(t *testing.T) {
	registry := hospitableRegistry(t)
	p := otherProgram("")
	p.Open = func(OpenOptions) (Text, error) { return Text{}, Misuse("", "--secret is missing") }
	t.Setenv("PW", "d0cker")
	status, _, stderr := mainOf(p, "verify", "elton", "--password-env", "PW", "--registry", registry)
	assert.Zero(t, status)
	assert.Equal(t, registry+" lets \"elton\" in\n", stderr)
}
