// Command gen writes what is made from the commands: the completion scripts, which
// are committed, and the manual pages, which are made for a release.
//
//	go run ./internal/gen            writes completions/; run it in the root of the repository
//	go run ./internal/gen man DIR    writes the manual pages
package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/registryctl/registryctl/internal/cli"
	"github.com/registryctl/registryctl/internal/gen/man"
)

// completions names the file of each shell, as that shell looks for it.
var completions = map[string]string{
	"bash":       "registryctl.bash",
	"zsh":        "_registryctl",
	"fish":       "registryctl.fish",
	"powershell": "registryctl.ps1",
}

func main() {
	var err error
	switch args := os.Args[1:]; {
	case len(args) == 0:
		err = writeCompletions("completions")
	case len(args) == 2 && args[0] == "man":
		err = man.Write(cli.Commands(), args[1])
	default:
		err = errors.New("usage: gen [man DIR]")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func writeCompletions(dir string) error {
	for shell, name := range completions {
		script, err := completion(shell)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), script, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// completion returns the completion script for a shell.
func completion(shell string) ([]byte, error) {
	var script bytes.Buffer
	if status := cli.Main([]string{"registryctl", "completion", shell}, nil, &script, os.Stderr); status != 0 {
		return nil, fmt.Errorf("completion %s: exit status %d", shell, status)
	}
	return script.Bytes(), nil
}
