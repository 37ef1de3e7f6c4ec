// Command registryctl manages the htpasswd users of a private Docker registry.
package main

import (
	"os"

	"github.com/registryctl/registryctl/internal/cli"
)

func main() {
	os.Exit(cli.Main(os.Args, os.Stdin, os.Stdout, os.Stderr))
}
