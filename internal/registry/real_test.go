package registry

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"github.com/registryctl/registryctl/internal/testserver"
)

// signed returns a token that a registry takes: ES256, with its certificate in
// x5c.
func signed(t *testing.T, c *testserver.Certificate, access any) string {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
	require.NoError(t, err)
	encode := func(v any) string {
		text, err := json.Marshal(v)
		require.NoError(t, err)
		return base64.RawURLEncoding.EncodeToString(text)
	}
	now := time.Now().Unix()
	text := encode(map[string]any{"typ": "JWT", "alg": "ES256", "x5c": [][]byte{pair.Certificate[0]}}) + "." +
		encode(map[string]any{"iss": "tokens", "sub": user, "aud": "registry.example", "exp": now + 300, "nbf": now - 10, "iat": now, "jti": "1", "access": access})
	digest := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, pair.PrivateKey.(*ecdsa.PrivateKey), digest[:])
	require.NoError(t, err)
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// tokenServer answers as the distribution specification says: with what is
// asked for and granted.
func tokenServer(t *testing.T, c *testserver.Certificate, grants map[string][]string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		access := []map[string]any{}
		if scope := strings.Split(r.URL.Query().Get("scope"), ":"); len(scope) == 3 {
			actions := []string{}
			for _, action := range strings.Split(scope[2], ",") {
				for _, granted := range grants[scope[1]] {
					if action == granted {
						actions = append(actions, action)
					}
				}
			}
			access = append(access, map[string]any{"type": scope[0], "name": scope[1], "actions": actions})
		}
		tokens(signed(t, c, access))(w, r)
	}
}

// The protocol, as real registries speak it.
func TestRealTokens(t *testing.T) {
	for _, name := range testserver.Registries {
		for _, secure := range []bool{false, true} {
			t.Run(name+map[bool]string{true: " with TLS"}[secure], func(t *testing.T) {
				signer, other := testserver.NewCertificate(t), testserver.NewCertificate(t)
				issuer := signer
				grants := map[string][]string{"labs/app": {"pull", "push"}, "labs/other": {"pull"}, "labs/old": {"delete"}}
				realm := start(t, secure, status(http.StatusUnauthorized), func(w http.ResponseWriter, r *http.Request) {
					tokenServer(t, issuer, grants)(w, r)
				})
				config := testserver.RegistryConfig{Env: []string{
					"REGISTRY_AUTH=token",
					"REGISTRY_AUTH_TOKEN_REALM=" + realm.URL + "/token",
					"REGISTRY_AUTH_TOKEN_SERVICE=registry.example",
					"REGISTRY_AUTH_TOKEN_ISSUER=tokens",
					"REGISTRY_AUTH_TOKEN_ROOTCERTBUNDLE=" + signer.CertFile,
				}}
				roots := x509.NewCertPool()
				if secure {
					config.TLS = testserver.NewCertificate(t)
					roots = config.TLS.Pool.Clone()
					roots.AddCert(realm.Certificate())
				}
				s := testserver.StartRegistry(t, name, config)
				c := clientOf(t, s.Addr)
				c.Roots = roots

				r, _ := ask(t, c)
				assert.Equal(t, Result{Outcome: Accepted, URL: s.URL, Server: s.URL, Status: http.StatusOK}, r)
				for permission, want := range map[string]Outcome{
					"pull:labs/app":   Accepted,
					"push:labs/app":   Accepted,
					"delete:labs/app": Denied,
					"pull:labs/other": Accepted,
					"push:labs/other": Denied,
					"delete:labs/old": Accepted,
					"pull:labs/old":   Denied,
					"pull:labs/none":  Denied,
				} {
					assert.Equal(t, want, can(t, c, permission).Outcome, permission)
				}

				r, err := c.Ask(t.Context(), user, Permission{}, func() ([]byte, error) { return []byte("wr0ng"), nil })
				require.NoError(t, err)
				assert.Equal(t, Result{Outcome: Refused, URL: s.URL, Server: realm.URL, Status: http.StatusUnauthorized}, r)

				issuer = other // which the registry does not know
				r, _ = ask(t, c)
				assert.Equal(t, Result{Outcome: TokenRefused, URL: s.URL, Server: s.URL, Status: http.StatusUnauthorized}, r)
			})
		}
	}
}

// An htpasswd file: everything is allowed to whoever is let in.
func TestRealHtpasswd(t *testing.T) {
	for _, name := range testserver.Registries {
		t.Run(name, func(t *testing.T) {
			// elton with d0cker, francis with "trail " and henry with p\xff, at cost 4.
			file := filepath.Join(t.TempDir(), "htpasswd")
			require.NoError(t, os.WriteFile(file, htpasswdText(t, map[string]string{user: secret, "francis": "trail ", "henry": "p\xff"}), 0o600))
			s := testserver.StartRegistry(t, name, testserver.RegistryConfig{Htpasswd: file})
			c := clientOf(t, s.Addr)
			for _, permission := range []string{"pull:labs/app", "push:labs/app", "delete:labs/app"} {
				r := can(t, c, permission)
				assert.Equal(t, Accepted, r.Outcome)
				assert.Equal(t, s.URL, r.URL)
			}
			for _, tt := range []struct {
				user, password string
				want           Outcome
				docker         DockerLogin
			}{
				{user, secret, Accepted, DockerLogin{}},
				{user, "wr0ng", Refused, DockerLogin{}},
				{user, secret + "\t", Refused, DockerLogin{Accepted, true, false}},
				{"francis", "trail ", Accepted, DockerLogin{Refused, true, false}},
				{"henry", "p\xff", Accepted, DockerLogin{Refused, false, true}},
			} {
				r, err := c.Ask(t.Context(), tt.user, Permission{}, func() ([]byte, error) { return []byte(tt.password), nil })
				require.NoError(t, err)
				assert.Equal(t, tt.want, r.Outcome, tt.user)
				assert.Equal(t, tt.docker, r.Docker, tt.user)
			}
		})
	}
}

func htpasswdText(t *testing.T, passwords map[string]string) (text []byte) {
	t.Helper()
	for name, password := range passwords {
		hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
		require.NoError(t, err)
		text = append(text, name+":"+string(hash)+"\n"...)
	}
	return text
}
