package crypt

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestRedact(t *testing.T) {
	for file, vectors := range readVectors(t) {
		if scheme := schemeOf(file); scheme == DESCrypt || scheme == "unmarked" {
			continue
		}
		for _, v := range vectors {
			if v.encoded == "{PLAIN}" {
				continue
			}
			for _, name := range []string{v.encoded, "elton " + v.encoded, v.encoded + "francis"} {
				assert.Equal(t, Hidden, Redact(name), file)
			}
		}
	}
	for _, name := range []string{"$$2y$$05$$nqgXJb", `\$2y\$05\$nqgXJb`, "$2y$05$nqg", "$\x002\x00y\x00$\x000\x005\x00$\x00n\x00"} {
		assert.Equal(t, Hidden, Redact(name))
	}
	for _, name := range []string{"", "elton", "robot$project+ci", "{name}", "a$2", "$1", "user$name$", "café"} {
		assert.Equal(t, name, Redact(name))
	}
}
