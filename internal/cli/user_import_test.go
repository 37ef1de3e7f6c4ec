package cli

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Three bad entries among many are all named, and the file is not made.
func TestImportNamesEveryBadEntry(t *testing.T) {
	bad := map[int]string{500: "name\x01:x", 70_000: "francis:", 99_999: "gordon:$2y$10$cut"}
	var list strings.Builder
	for n := 1; n <= 100_000; n++ {
		if line, ok := bad[n]; ok {
			list.WriteString(line + "\n")
			continue
		}
		fmt.Fprintf(&list, "user%d:$2y$05$abcdefghijklmnopqrstuv%031d\n", n, n)
	}
	dir := t.TempDir()
	path, file := filepath.Join(dir, "list"), filepath.Join(dir, "htpasswd")
	require.NoError(t, os.WriteFile(path, []byte(list.String()), 0o600))

	var out, errOut bytes.Buffer
	status := Main([]string{"registryctl", "user", "import", path, "--format", "lines", "-f", file}, strings.NewReader(""), &out, &errOut)
	assert.EqualValues(t, exitName, status, "that of the first")
	assert.Empty(t, out.String())
	assert.Equal(t, 4, strings.Count(errOut.String(), "\n"), errOut.String())
	for n := range bad {
		assert.Contains(t, errOut.String(), fmt.Sprintf("%s:%d: ", path, n))
	}
	assert.NoFileExists(t, file)
}
