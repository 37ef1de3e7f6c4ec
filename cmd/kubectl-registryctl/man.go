//go:build man

package main

import (
	"log"
	"os"

	"github.com/registryctl/registryctl/internal/gen/man"
)

// With the tag "man" this is a program that writes the manual pages:
//
//	go run -tags man . DIR
func init() {
	if len(os.Args) != 2 {
		log.Fatal("usage: go run -tags man . DIR")
	}
	if err := man.Write(newProgram().Commands(), os.Args[1]); err != nil {
		log.Fatal(err)
	}
	os.Exit(0)
}
