package main

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/registryctl/registryctl/internal/cli"
)

// Which key of a Secret holds the users.
func TestKey(t *testing.T) {
	for _, tt := range []struct {
		name   string
		keys   []string
		kind   string // Opaque if empty
		given  string
		access cli.Access
		create bool
		want   string
		err    string
	}{
		{name: "the only one", keys: []string{"people"}, want: "people"},
		{name: "the known one", keys: []string{"haSharedSecret", "htpasswd"}, want: "htpasswd"},
		{name: "Traefik's", keys: []string{"a", "users"}, want: "users"},
		{name: "an ingress controller's", keys: []string{"a", "auth"}, want: "auth"},
		{name: "the given one", keys: []string{"htpasswd", "people"}, given: "people", want: "people"},
		{name: "none is known", keys: []string{"a", "b"}, err: "cannot tell which key of secret ns/name holds the users; it has a, b"},
		{name: "two are known", keys: []string{"auth", "users"}, err: "cannot tell which key of secret ns/name holds the users; it has auth, users"},
		{name: "the only one, of a type that gives it a meaning", keys: []string{".dockerconfigjson"}, kind: "kubernetes.io/dockerconfigjson", err: "whose keys hold no users"},
		{name: "a known one, of a type that gives keys a meaning", keys: []string{"auth"}, kind: "kubernetes.io/basic-auth", err: "has the type kubernetes.io/basic-auth, whose keys hold no users"},
		{name: "the given one, of such a type", keys: []string{"tls.key"}, kind: "kubernetes.io/tls", given: "tls.key", err: "whose keys hold no users"},
		{name: "the only one, of a type of somebody's own", keys: []string{"people"}, kind: "example.com/users", want: "people"},
		{name: "the only one, where one is to be made", keys: []string{"people"}, access: cli.ToCreate, create: true, err: "cannot tell which key of secret ns/name holds the users; it has people"},
		{name: "the known one, where one is to be made", keys: []string{"users"}, access: cli.ToCreate, create: true, want: "users"},
		{name: "the given one is not to be made by a plan", keys: []string{"a"}, given: "b", access: cli.ToCreate, err: "has no key b"},
		{name: "none at all", err: "secret ns/name has no key htpasswd; it has none"},
		{name: "none at all, to be made", access: cli.ToCreate, create: true, want: "htpasswd"},
		{name: "the given one is missing", keys: []string{"a"}, given: "b", err: "secret ns/name has no key b; it has a"},
		{name: "the given one is to be made", keys: []string{"a"}, given: "b", access: cli.ToCreate, create: true, want: "b"},
		{name: "the given one is not to be made", keys: []string{"a"}, given: "b", access: cli.ToCreate, err: "has no key b"},
		{name: "none is known, and which one is to be made not either", keys: []string{"a", "b"}, access: cli.ToCreate, create: true, err: "which key"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			values := make(map[string]any)
			for _, key := range tt.keys {
				values[key] = ""
			}
			kind := "Opaque"
			if tt.kind != "" {
				kind = tt.kind
			}
			s := &secret{namespace: "ns", name: "name", key: tt.given, options: cli.OpenOptions{Access: tt.access}}
			if tt.create {
				s.creation = &creation{}
			}
			key, _, err := s.text(&unstructured.Unstructured{Object: map[string]any{"type": kind, "data": values}})
			if tt.err != "" {
				require.ErrorContains(t, err, tt.err)
				assert.Equal(t, tt.access == cli.ToRead && strings.Contains(tt.err, "has no key"), errors.Is(err, fs.ErrNotExist))
				return
			}
			require.NoError(t, err)
			assert.Equal(t, tt.want, key)
		})
	}
}

// A text is edited only if it can be one for users.
func TestMayHoldUsers(t *testing.T) {
	entry := "elton:" + hash + "\n"
	for _, tt := range []struct {
		key, text string
		want      bool
	}{
		{"people", "", true},
		{"people", "# none yet\n\n", true},
		{"people", "x:y\n" + entry, true},
		{"people", "elton:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n", true},
		{"people", "elton:x\n", false},
		{"htpasswd", "elton:x\n", true},
		{"htpasswd", "no colon\n" + entry, true},
		{"DATABASE_URL", "postgres://app:s3cr3t@db/prod", false},
		{"users", "postgres://app:s3cr3t@db/prod", false},
		{"users", "jdbc:postgresql://db/prod?user=app&password=s3cr3t", false},
		{"users", "\ufeffpostgres://app:s3cr3t@db/prod", false},
		{"auth", "\ufeff{\"a\": \"b:c\"}", false},
		{"htpasswd", "\ufeff" + entry, true},
		{"htpasswd", "\xff\xfee\x00:\x00$\x00", true},
		{"redis.yaml", "maxmemory: 2mb\nauth: x\n", false},
		{"auth", "users:\n  elton: x\n", false},
		{"auth", "users:\n  " + entry, false},
		{"auth", "---\n" + entry, false},
		{"auth", `{"auths": {"a": "` + strings.TrimSpace(entry) + `"}}`, false},
		{"auth", "-----BEGIN PRIVATE KEY-----\nMIIE:x\n-----END PRIVATE KEY-----\n", false},
	} {
		assert.Equal(t, tt.want, mayHoldUsers(tt.key, []byte(tt.text)), "%s: %s", tt.key, tt.text)
	}
}
