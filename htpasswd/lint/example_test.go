package lint_test

import (
	"context"
	"fmt"

	"github.com/registryctl/registryctl/htpasswd/lint"
)

const file = "elton:$apr1$u9Z6wl2t$0eVH8hx4CMa.cbXiHGkbT1\nfrancis\n"

// What the registry makes of a file, one finding per line.
func ExampleCheck() {
	findings, err := lint.Check(context.Background(), file, lint.Registry)
	if err != nil {
		fmt.Println(err)
	}
	for _, f := range findings {
		fmt.Println(f.Line, f.Severity, f.Kind, f.Remedy)
	}
	// Output:
	// 1 error not-bcrypt password
	// 2 error no-colon fix
}

// What needs no guess is fixed, and nothing is lost.
func ExampleFix() {
	_, changes, err := lint.Fix(context.Background(), file)
	if err != nil {
		fmt.Println(err)
	}
	for _, c := range changes {
		fmt.Println(c.Line, c.Done)
	}
	// Output:
	// 2 made a comment
}
