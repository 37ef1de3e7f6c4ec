package cli

import (
	"io"

	"github.com/spf13/cobra"
)

// completionScripts writes the script of each shell, as of cobra.
var completionScripts = map[string]func(root *cobra.Command, w io.Writer) error{
	"bash":       func(root *cobra.Command, w io.Writer) error { return root.GenBashCompletionV2(w, true) },
	"zsh":        (*cobra.Command).GenZshCompletion,
	"fish":       func(root *cobra.Command, w io.Writer) error { return root.GenFishCompletion(w, true) },
	"powershell": (*cobra.Command).GenPowerShellCompletionWithDesc,
}

func (a *app) newCompletion() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "completion",
		Short: "Print the completion script of a shell",
		Long:  "Print the script that completes commands, flags and user names in a shell.",
		Example: `  source <(registryctl completion bash)
  registryctl completion powershell | Out-String | iex # PowerShell`,
	}
	const (
		forSession = "The example turns it on;\nput that line into the profile of the shell to keep it."
		forGood    = "The example installs it,\nfrom the next session on."
	)
	for _, shell := range []struct{ name, title, effect, example string }{
		{"bash", "bash", forSession, "source <(registryctl completion bash)"},
		{"zsh", "zsh", forGood, "registryctl completion zsh > \"${fpath[1]}/_registryctl\""},
		{"fish", "fish", forGood, "registryctl completion fish > ~/.config/fish/completions/registryctl.fish"},
		{"powershell", "PowerShell", forSession, "registryctl completion powershell | Out-String | iex # PowerShell"},
	} {
		cmd.AddCommand(&cobra.Command{
			Use:               shell.name,
			Short:             "Print the completion script of " + shell.title,
			Long:              "Print the completion script of " + shell.title + ". " + shell.effect,
			Example:           "  " + shell.example,
			Args:              noOperands,
			ValidArgsFunction: cobra.NoFileCompletions,
			RunE: func(cmd *cobra.Command, _ []string) error {
				return completionScripts[shell.name](cmd.Root(), a.out)
			},
		})
	}
	asGroup(cmd)
	return cmd
}
