package lint_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/htpasswd/lint"
)

// Problem says of a hash what Check says.
func TestProblem(t *testing.T) {
	file, err := htpasswd.Parse([]byte(short.Replace("a:A⏎b:$2b$04$F⏎z:$2z$04$F⏎p:P⏎e:⏎x:secret⏎") +
		"l:$apr1$ninechars$HqJZimcKQFAMYayBlzkrA/\ns:{SSHA}p4h+p4bGWpFuP5W30GiAMTBkb4ebVv2cUAAELg==\n"))
	require.NoError(t, err)
	got := make(map[string][]lint.Server)
	for e := range file.All() {
		for _, server := range lint.Servers() {
			if lint.Problem(e, server) == "" {
				got[e.User] = append(got[e.User], server)
			}
		}
	}
	all := lint.Servers()
	assert.Equal(t, map[string][]lint.Server{"a": all, "b": all, "z": {lint.Registry}, "p": {lint.Nginx, lint.Apache, lint.Lighttpd, lint.Traefik}, "s": {lint.Nginx},
		"l": {lint.Traefik}}, got) // of which there is a warning
	e, _ := file.Lookup("p")
	assert.Equal(t, "apr1 hash; the registry accepts only bcrypt", lint.Problem(e, lint.Registry))
}
