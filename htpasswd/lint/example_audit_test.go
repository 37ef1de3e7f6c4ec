package lint_test

import (
	"context"
	"fmt"
	"io/fs"
	"log"
	"testing/fstest"

	"github.com/registryctl/registryctl/htpasswd/lint"
)

// An audit of all files below a directory: who cannot log in at the registry, and
// what else is wrong.
func Example_audit() {
	dir := fstest.MapFS{ // or os.DirFS("/srv")
		"a/registry.htpasswd": {Data: []byte("elton:$apr1$u9Z6wl2t$0eVH8hx4CMa.cbXiHGkbT1\nfrancis\n")},
		"b/registry.htpasswd": {Data: []byte("jane:$2y$05$saIVQ.pV.9EPOsLpNP04puj0Mf9r2wMHeGg/XViGhPfdoxb1oaCPO\n")},
	}
	err := fs.WalkDir(dir, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Name() != "registry.htpasswd" {
			return err
		}
		text, err := fs.ReadFile(dir, path)
		if err != nil {
			return err
		}
		findings, err := lint.Check(context.Background(), string(text), lint.Registry)
		for _, f := range findings {
			fmt.Printf("%s:%d: %s: %s\n", path, f.Line, f.Severity, f.Message)
		}
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// a/registry.htpasswd:1: error: apr1 hash; the registry accepts only bcrypt
	// a/registry.htpasswd:2: error: no colon in the line; the registry answers 400 to everyone
	// b/registry.htpasswd:1: warning: the cost is 5, below 10; anyone who gets the file can try many passwords per second
}
