package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func newVersion(p *Program) *cobra.Command {
	return &cobra.Command{
		Use:               "version",
		Short:             "Print the version",
		Long:              "Print the version, the commit, the version of Go and the platform.",
		Example:           "  " + p.Name + " version",
		Args:              noOperands,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(*cobra.Command, []string) error {
			return p.Print([]byte(p.Name + " version " + version() + "\n"))
		},
	}
}

// release is the version of a released binary, set by its linker; others take
// theirs from the build info.
var release string

func version() string {
	commit := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				commit = s.Value
			}
		}
	}
	return fmt.Sprintf("%s (commit %s, %s, %s/%s)", Release(), commit, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// Release returns the version of the program, such as v1.2.3, or (devel).
func Release() string {
	if release != "" {
		return "v" + release
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
