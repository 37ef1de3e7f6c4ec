package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// release is the version of a released binary, set by its linker; others take
// theirs from the build info.
var release string

func version() string {
	v, commit := "(devel)", "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		if info.Main.Version != "" {
			v = info.Main.Version
		}
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				commit = s.Value
			}
		}
	}
	if release != "" {
		v = "v" + release
	}
	return fmt.Sprintf("%s (commit %s, %s, %s/%s)", v, commit, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
