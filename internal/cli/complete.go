package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"os"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/registryctl/registryctl/htpasswd"
)

// fishUnescaped is the part of cobra's script for fish that evaluates the words of the
// command line without the quotes around them.
const fishUnescaped = `$args[1] __complete $args[2..-1] $lastArg"`

// writeFishCompletion writes cobra's script, but escapes the words that it evaluates,
// because the name of a user could be a command.
func writeFishCompletion(root *cobra.Command, w io.Writer) error {
	var script bytes.Buffer
	if err := root.GenFishCompletion(&script, true); err != nil {
		return err
	}
	before, after, found := strings.Cut(script.String(), fishUnescaped)
	if !found {
		return errors.New("cobra's script for fish has changed")
	}
	before = strings.Replace(before, "    set -l requestComp \"", "    set -l typed (string escape -- $args)\n    set -l requestComp \"", 1)
	_, err := io.WriteString(w, before+`$typed[1] __complete $typed[2..-1] $lastArg"`+after)
	return err
}

func newCompletion(p *Program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "completion",
		Short: "Print the completion script of a shell",
		Long:  "Print the script that completes commands, flags and user names in a shell.",
		Example: `  source <(registryctl completion bash)
  registryctl completion powershell | Out-String | iex # PowerShell`,
	}
	const (
		forSession = "The example enables it\nfor the session; add that line to the profile of the shell to keep it."
		forGood    = "The example installs\nit; it takes effect in the next session."
	)
	bash := func(root *cobra.Command, w io.Writer) error { return root.GenBashCompletionV2(w, true) }
	for _, shell := range []struct {
		title, effect, example string
		write                  func(root *cobra.Command, w io.Writer) error
	}{
		{"bash", forSession, "source <(registryctl completion bash)", bash},
		{"zsh", forGood, "registryctl completion zsh > \"${fpath[1]}/_registryctl\"", (*cobra.Command).GenZshCompletion},
		{"fish", forGood, "registryctl completion fish > ~/.config/fish/completions/registryctl.fish", writeFishCompletion},
		{"PowerShell", forSession, "registryctl completion powershell | Out-String | iex # PowerShell", (*cobra.Command).GenPowerShellCompletionWithDesc},
	} {
		cmd.AddCommand(&cobra.Command{
			Use:               strings.ToLower(shell.title),
			Short:             "Print the completion script of " + shell.title,
			Long:              "Print the completion script of " + shell.title + ". " + shell.effect,
			Example:           "  " + shell.example,
			Args:              noOperands,
			ValidArgsFunction: cobra.NoFileCompletions,
			RunE: func(cmd *cobra.Command, _ []string) error {
				return shell.write(cmd.Root(), output{p.Stdout})
			},
		})
	}
	p.asGroup(cmd)
	return cmd
}

// completionTime is how long a person who has pressed Tab waits.
const completionTime = 3 * time.Second

// completeUsers offers the first names in the file, no more than a person can choose
// from.
func (p *Program) completeUsers(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	const most = 1000
	var names []string
	for user := range p.usersToComplete(cmd.Context()) {
		if len(names) == most {
			break
		}
		if isSafeToComplete(user) && !slices.Contains(args, user) {
			names = append(names, user)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func (p *Program) usersToComplete(ctx context.Context) iter.Seq[string] {
	t, err := p.open(OpenOptions{})
	if err != nil || t.ToStdout {
		return new(htpasswd.File).Users()
	}
	// A pipe would wait for its other end, while a person waits for the shell.
	if info, err := os.Stat(t.File); t.File != "" && (err != nil || !info.Mode().IsRegular()) {
		return new(htpasswd.File).Users()
	}
	ctx, cancel := context.WithTimeout(ctx, completionTime)
	defer cancel()
	f, _ := t.Read(ctx)
	if f == nil {
		f = new(htpasswd.File)
	}
	return f.Users()
}

// isSafeToComplete reports whether a name has no meaning for any shell. Some shells
// evaluate completed words.
func isSafeToComplete(name string) bool {
	for i, r := range name {
		isPlain := unicode.IsLetter(r) || unicode.IsDigit(r)
		if !isPlain && (i == 0 || !strings.ContainsRune("._@+-", r)) {
			return false
		}
	}
	return name != ""
}

// completeUser is completeUsers for the first argument only.
func (p *Program) completeUser(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return p.completeUsers(cmd, args, word)
}
