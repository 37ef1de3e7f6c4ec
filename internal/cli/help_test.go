package cli

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// everyCommand is each command that there is help for.
func everyCommand(cmd *cobra.Command) []*cobra.Command {
	all := []*cobra.Command{cmd}
	for _, sub := range cmd.Commands() {
		all = append(all, everyCommand(sub)...)
	}
	return all
}

// helpOf is what "COMMAND --help" prints; "help COMMAND" has to print the same.
func helpOf(t *testing.T, cmd *cobra.Command) string {
	t.Helper()
	words := strings.Fields(cmd.CommandPath())[1:]
	text := runMain(t, append(words, "--help")...)
	assert.Equal(t, text, runMain(t, append([]string{"help"}, words...)...))
	return text
}

// runMain returns what the command prints, which has to succeed.
func runMain(t *testing.T, args ...string) string {
	t.Helper()
	var out, errOut strings.Builder
	require.Zero(t, Main(append([]string{program}, args...), strings.NewReader(""), &out, &errOut), "%q: %s", args, &errOut)
	return out.String()
}

// A help text fits a terminal of 80 columns, and has all that there is to say.
func TestHelp(t *testing.T) {
	for _, cmd := range everyCommand(Commands()) {
		if cmd.Name() == "help" {
			continue
		}
		text := helpOf(t, cmd)
		if !cmd.DisableFlagParsing && cmd.HasParent() {
			common := text[strings.Index(text, "\nCommon flags:\n")+1:]
			assert.Regexp(t, `^Common flags:\n  -f, --file FILE `, common, cmd.CommandPath())
		}
		assert.Contains(t, text, "\nUsage:\n", cmd.CommandPath())
		assert.Contains(t, text, "\nExamples:\n", cmd.CommandPath())
		body, _, _ := strings.Cut(text, "\nFlags:\n")
		for line := range strings.Lines(body) {
			assert.LessOrEqual(t, utf8.RuneCountInString(strings.TrimSuffix(line, "\n")), 80, "%s: %s", cmd.CommandPath(), line)
		}
	}
}

// A flag says what it does, in one phrase, and which value it takes.
func TestEveryFlagIsDocumented(t *testing.T) {
	for _, cmd := range everyCommand(Commands()) {
		cmd.InitDefaultHelpFlag()
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.Name == "help" {
				return
			}
			of := cmd.CommandPath() + " --" + f.Name
			assert.Regexp(t, `^[^ .].*[^ .]$`, f.Usage, of)
			if f.NoOptDefVal == "" {
				assert.Regexp(t, "`[A-Z]", f.Usage, of)
			}
		})
	}
}

// What a help text calls a flag or a command is one.
func TestHelpNamesWhatThereIs(t *testing.T) {
	flag := regexp.MustCompile(`--[a-z][-a-z]*`)
	command := regexp.MustCompile(`registryctl( help)?((?: [a-z]+)+)`)
	root := Commands()
	known := map[string]bool{"--help": true}
	for _, cmd := range everyCommand(root) {
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) { known["--"+f.Name] = true })
	}
	for _, cmd := range everyCommand(root) {
		if cmd.Name() == "help" {
			continue
		}
		text := helpOf(t, cmd)
		for _, name := range flag.FindAllString(text, -1) {
			assert.True(t, known[name], "%s: %s", cmd.CommandPath(), name)
		}
		for _, words := range command.FindAllStringSubmatch(strings.ReplaceAll(text, "\n", " "), -1) {
			found, rest, err := root.Find(strings.Fields(words[2]))
			require.NoError(t, err, words[0])
			assert.False(t, found.HasSubCommands() && len(rest) > 0, "%s: %s", cmd.CommandPath(), words[0])
		}
	}
}
