package atomicfile

import (
	"os"
	"slices"
	"strings"
)

// trueName returns the name that the directory has for the file with that name.
// In some directories a file has many: in any case, in several Unicode forms, or
// short. All must lead to one lock.
func trueName(dir *os.Root, name string) string {
	info, err := dir.Lstat(name)
	if err != nil {
		return name
	}
	names, err := list(dir)
	if err != nil || slices.Contains(names, name) {
		return name
	}
	names = slices.DeleteFunc(names, func(n string) bool {
		other, err := dir.Lstat(n)
		return err != nil || !os.SameFile(info, other)
	})
	if len(names) == 0 {
		return name
	}
	if i := slices.IndexFunc(names, func(n string) bool { return strings.EqualFold(n, name) }); i >= 0 {
		return names[i]
	}
	return slices.Min(names)
}
