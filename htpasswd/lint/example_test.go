package lint_test

import (
	"fmt"

	"github.com/registryctl/registryctl/htpasswd/lint"
)

const file = "elton:$apr1$u9Z6wl2t$0eVH8hx4CMa.cbXiHGkbT1\nfrancis\n"

// What the registry makes of a file, a finding a line.
func ExampleCheck() {
	for _, f := range lint.Check([]byte(file), lint.Registry) {
		fmt.Println(f.Line, f.Severity, f.Kind)
	}
	// Output:
	// 1 error not-bcrypt
	// 2 error no-colon
}

// What needs no guess is mended, and nothing is lost.
func ExampleFix() {
	_, changes := lint.Fix([]byte(file))
	for _, c := range changes {
		fmt.Println(c.Line, c.Done)
	}
	// Output:
	// 2 made a comment
}
