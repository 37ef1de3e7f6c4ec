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

// A screen is 80 columns by 24 lines where it is smallest. A line of 80 would break
// on some, and below the help comes the next prompt.
const (
	screenColumns = 79
	screenLines   = 23
)

// everyCommand is each command that there is help for.
func everyCommand(cmd *cobra.Command) []*cobra.Command {
	all := []*cobra.Command{cmd}
	for _, sub := range cmd.Commands() {
		all = append(all, everyCommand(sub)...)
	}
	return all
}

func TestHelpFitsOneScreen(t *testing.T) {
	for _, cmd := range everyCommand(Commands()) {
		screen := helpOf(cmd, false)
		assert.LessOrEqual(t, strings.Count(screen, "\n"), screenLines, cmd.CommandPath())
		for line := range strings.Lines(screen + helpOf(cmd, true)) {
			assert.LessOrEqual(t, utf8.RuneCountInString(strings.TrimSuffix(line, "\n")), screenColumns, "%s: %s", cmd.CommandPath(), line)
		}
	}
}

// A flag says what it does, in one phrase, and is seen by whoever asks for help.
func TestEveryFlagIsDocumented(t *testing.T) {
	for _, cmd := range everyCommand(Commands()) {
		cmd.InitDefaultHelpFlag()
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.Name == "help" {
				return
			}
			of := cmd.CommandPath() + " --" + f.Name
			assert.Regexp(t, `^[^ .].*[^ .]$`, f.Usage, of)
			names, value := FlagNames(f)
			assert.NotContains(t, []string{"STRING", "STRINGS", "STRINGSLICE", "INT"}, value, "%s: its usage names no value", of)
			assert.Contains(t, helpOf(cmd, false), strings.TrimSpace(names+" "+value)+"  ", of)
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
		text := helpOf(cmd, true)
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
