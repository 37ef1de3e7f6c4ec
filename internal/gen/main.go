// Command gen writes what is made from the commands: the completion scripts and
// the picture in the README, which are committed, and the man pages, which are made
// for a release. Run it in the root of the repository, on Linux.
//
//	go run ./internal/gen
//	go run ./internal/gen man DIR
package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/registryctl/registryctl/internal/cli"
	"github.com/registryctl/registryctl/internal/man"
)

// completions names the file of each shell, as that shell looks for it.
var completions = map[string]string{
	"bash":       "registryctl.bash",
	"zsh":        "_registryctl",
	"fish":       "registryctl.fish",
	"powershell": "registryctl.ps1",
}

func main() {
	runAsProgram()
	var err error
	switch args := os.Args[1:]; {
	case len(args) == 0:
		err = writeCommitted()
	case len(args) == 2 && args[0] == "man":
		err = man.Write(args[1], cli.Commands())
	default:
		err = errors.New("usage: gen [man DIR]")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

// runAsProgram makes this program registryctl where it is called with that word.
func runAsProgram() {
	if args := os.Args[1:]; len(args) > 0 && args[0] == "registryctl" {
		os.Exit(cli.Main(args, os.Stdin, os.Stdout, os.Stderr))
	}
}

func writeCommitted() error {
	files, err := generate()
	for name, text := range files {
		if err == nil {
			err = os.WriteFile(name, text, 0o644)
		}
	}
	return err
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
	picture, err := drawSession()
	if errors.Is(err, errors.ErrUnsupported) {
		return files, nil
	}
	files[sessionFile] = picture
	return files, err
}
