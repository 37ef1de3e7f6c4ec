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
	for _, shell := range []struct{ name, example string }{
		{"bash", "source <(registryctl completion bash)"},
		{"zsh", "registryctl completion zsh > \"${fpath[1]}/_registryctl\""},
		{"fish", "registryctl completion fish > ~/.config/fish/completions/registryctl.fish"},
		{"powershell", "registryctl completion powershell | Out-String | iex # PowerShell"},
	} {
		cmd.AddCommand(&cobra.Command{
			Use:               shell.name,
			Short:             "Print the completion script of " + shell.name,
			Long:              "Print the completion script of " + shell.name + ". The example turns it on; in the\nshell's profile it stays on.",
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
