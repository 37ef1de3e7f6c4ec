// Command gen writes what is made from the command tree and committed: the
// completion scripts. Run it in the root of the repository.
//
//	go run ./internal/gen
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/registryctl/registryctl/internal/cli"
)

// completions names the file of each shell, as that shell looks for it.
var completions = map[string]string{
	"bash":       "registryctl.bash",
	"zsh":        "_registryctl",
	"fish":       "registryctl.fish",
	"powershell": "registryctl.ps1",
}

func main() {
	files, err := generate()
	for name, text := range files {
		if err == nil {
			err = os.WriteFile(name, text, 0o644)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

// generate returns the text of each file, by its path in the repository.
func generate() (map[string][]byte, error) {
	files := make(map[string][]byte)
	for shell, name := range completions {
		var script bytes.Buffer
		if status := cli.Main([]string{"registryctl", "completion", shell}, nil, &script, os.Stderr); status != 0 {
			return nil, fmt.Errorf("completion %s: exit status %d", shell, status)
		}
		files[filepath.Join("completions", name)] = script.Bytes()
	}
	return files, nil
}
