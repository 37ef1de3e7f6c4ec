package cli

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// containerMarks are files that Docker and Podman put into each container.
var containerMarks = []string{"/.dockerenv", "/run/.containerenv"}

// inContainer reports whether Docker or Podman runs the program.
func inContainer() bool {
	for _, mark := range containerMarks {
		if _, err := os.Stat(mark); err == nil {
			return true
		}
	}
	return false
}

// containerHint returns how to run the container as the owner of a file, by numbers,
// because an image need not know the names. It is empty outside of a container.
func containerHint(path string) string {
	info, err := os.Stat(path)
	if err != nil || !inContainer() {
		return ""
	}
	owner := info.Sys().(*syscall.Stat_t)
	return fmt.Sprintf("run the container with --user %d:%d", owner.Uid, owner.Gid)
}

// mountPoints returns the paths on which something is mounted, see proc(5).
func mountPoints() (paths []string) {
	text, _ := os.ReadFile("/proc/self/mountinfo")
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) > 4 {
			path, err := strconv.Unquote(`"` + strings.ReplaceAll(fields[4], `"`, `\"`) + `"`) // \040 is a space
			if err == nil {
				paths = append(paths, path)
			}
		}
	}
	return paths
}
