//go:build man

package main

import (
	"log"
	"os"

	"github.com/registryctl/registryctl/internal/man"
)

// With the tag "man" this is a program that writes the manual pages:
//
//	go run -tags man . DIR
func init() {
	if len(os.Args) != 2 {
		log.Fatal("usage: go run -tags man . DIR")
	}
	if err := man.Write(os.Args[1], newProgram().Commands()); err != nil {
		log.Fatal(err)
	}
	os.Exit(0)
}
