// Package man writes the manual pages of a command and its subcommands. No
// program that is released contains it.
package man

import (
	"os"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// Write writes one page for each command into dir, which it creates. The pages
// are dated by the environment variable SOURCE_DATE_EPOCH if it is set. Write
// changes the texts of root, which should not be used afterwards.
func Write(root *cobra.Command, dir string) error {
	prepare(root)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return doc.GenManTreeFromOpts(root, doc.GenManTreeOptions{
		Header:           &doc.GenManHeader{Section: "1", Source: root.Name(), Manual: "registryctl"},
		Path:             dir,
		CommandSeparator: "-",
	})
}

// prepare turns the help texts of the commands into the Markdown that cobra/doc reads.
func prepare(cmd *cobra.Command) {
	cmd.DisableAutoGenTag = true
	if exit := cmd.Annotations["exit"]; exit != "" { // as the help shows them
		cmd.Long += "\n\nExit statuses:\n\n  " + strings.ReplaceAll(exit, "\n", "\n  ")
	}
	cmd.Long = markdown(cmd.Long)
	for _, sub := range cmd.Commands() {
		prepare(sub)
	}
}

var special = regexp.MustCompile("[\\\\`*_<>#\\[\\]]")

// markdown returns a help text as Markdown: indented lines, such as those of a
// table, keep their layout, and no character has a special meaning.
func markdown(text string) string {
	var b strings.Builder
	wasIndented := false
	for line := range strings.Lines(text) {
		indented := strings.HasPrefix(line, "  ")
		if indented != wasIndented {
			b.WriteString("\n") // Markdown begins and ends a code block with an empty line
		}
		wasIndented = indented
		if indented {
			b.WriteString("  " + line) // four spaces make a code block
		} else {
			b.WriteString(special.ReplaceAllString(line, `\$0`))
		}
	}
	return b.String()
}
