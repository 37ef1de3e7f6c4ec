package cli

import (
	"os"
	"strconv"
	"strings"
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
