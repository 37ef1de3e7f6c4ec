package cli

import (
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestColumns(t *testing.T) {
	for text, want := range map[string]int{"": 0, "elton": 5, "王小明": 6, "E\u0301lan": 4, "ＡＢ": 4, "Łódź": 4, "\u1112\u1161\u11ab\u1100\u1173\u11af": 4} {
		assert.Equal(t, want, columns(text), text)
	}
}

// A name as long as a line makes no row longer but its own.
func TestWriteColumnsOfLongName(t *testing.T) {
	long := strings.Repeat("e", 65_000)
	out := string(tableText([][]string{{"USER", "SCHEME", "COST"}, {"elton", "bcrypt", "10"}, {long, "bcrypt", "12"}}))
	narrow := strings.Repeat(" ", 37)
	assert.Equal(t, "USER "+narrow+"SCHEME  COST\nelton"+narrow+"bcrypt  10\n"+long+"  bcrypt  12\n", out)
}

// Output that cannot be written is an error of every command that has any.
func TestFullOutput(t *testing.T) {
	file := create(t, "elton:"+exampleHash+"\n")
	list := create(t, "francis:"+exampleHash+"\n")
	t.Setenv("PW", "d0cker")
	for _, line := range []string{
		"version", "--version", "help", "--help", "user", "user add --help", "help user add", "cost --target 1ms",
		"completion bash", "completion zsh", "completion fish", "completion powershell",
		"user list", "user list -o name", "user list -o json", "user list -o csv", "check", "check -o json", "access list",
		"user add new --generate --cost 4", "user passwd elton --generate --cost 4", "user passwd --all --generate --cost 4",
		"user add new --print --hash " + exampleHash, "user verify elton --password-env PW -o json",
		"user import --dry-run " + list, "user import -o json " + list, "htpasswd -nbBC 4 elton d0cker",
	} {
		args := append([]string{program}, strings.Fields(line)...)
		if !strings.HasPrefix(line, "htpasswd") {
			args = append(args, "-f", file)
		}
		var said strings.Builder
		status := Main(args, strings.NewReader(""), fullWriter{}, &said)
		assert.Equal(t, int(exitIO), status, "%s: %s", line, &said)
		assert.Contains(t, said.String(), "no space left on device", line)
	}
}

type fullWriter struct{}

func (fullWriter) Write([]byte) (int, error) { return 0, syscall.ENOSPC }
