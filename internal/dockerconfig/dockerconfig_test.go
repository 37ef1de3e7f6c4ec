package dockerconfig

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/registryctl/registryctl/internal/registry"
)

func TestSet(t *testing.T) {
	const login = `{"auth": "ZWx0b246czo="}` // elton, whose password is "s:"
	for name, tt := range map[string]struct{ before, after string }{
		"nothing":          {"", `{"auths": {"localhost:5000": ` + login + `}}`},
		"null":             {"null", `{"auths": {"localhost:5000": ` + login + `}}`},
		"null logins":      {`{"auths": null}`, `{"auths": {"localhost:5000": ` + login + `}}`},
		"another login":    {`{"auths": {"localhost:5000": {"auth": "eDp5", "identitytoken": "t"}}}`, `{"auths": {"localhost:5000": ` + login + `}}`},
		"other registries": {`{"auths": {"localhost": {"auth": "eDp5"}, "https://index.docker.io/v1/": {}}}`, `{"auths": {"localhost": {"auth": "eDp5"}, "https://index.docker.io/v1/": {}, "localhost:5000": ` + login + `}}`},
		"other values":     {`{"HttpHeaders": {"A": "<b>"}, "n": 12345678901234567890, "credHelpers": {"other": "pass"}}`, `{"HttpHeaders": {"A": "<b>"}, "n": 12345678901234567890, "credHelpers": {"other": "pass"}, "auths": {"localhost:5000": ` + login + `}}`},
		"no helper here":   {`{"credsStore": "pass", "credHelpers": {"localhost:5000": ""}}`, `{"credsStore": "pass", "credHelpers": {"localhost:5000": ""}, "auths": {"localhost:5000": ` + login + `}}`},
	} {
		t.Run(name, func(t *testing.T) {
			after, err := Set([]byte(tt.before), address(t), "elton", []byte("s:"))
			require.NoError(t, err)
			assert.JSONEq(t, tt.after, string(after))
			again, err := Set(after, address(t), "elton", []byte("s:"))
			require.NoError(t, err)
			assert.Equal(t, string(after), string(again))
		})
	}
}

func TestSetRefuses(t *testing.T) {
	for _, text := range []string{"x", "[]", `{"auths": []}`, `{"auths": {}} x`, "\ufeff{}"} {
		_, err := Set([]byte(text), address(t), "elton", nil)
		assert.Equal(t, ErrMalformed, err, text)
	}
	for _, text := range []string{`{"credsStore": "pass"}`, `{"credHelpers": {"localhost:5000": "pass"}, "credsStore": "desktop"}`} {
		_, err := Set([]byte(text), address(t), "elton", nil)
		assert.EqualError(t, err, "logins at this registry are kept by docker-credential-pass", text)
	}
}

func FuzzSet(f *testing.F) {
	f.Add(`{"auths": {"a": {}}, "b": 1e400}`)
	f.Fuzz(func(t *testing.T, text string) {
		after, err := Set([]byte(text), address(t), "elton", []byte("secret"))
		if err != nil {
			return
		}
		var was, is map[string]json.RawMessage
		if text != "" {
			_ = json.Unmarshal([]byte(text), &was)
		}
		require.NoError(t, json.Unmarshal(after, &is))
		for key, value := range was {
			if key != "auths" {
				assert.Equal(t, compact(t, value), compact(t, is[key]))
			}
		}
	})
}

func compact(t *testing.T, text []byte) string {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, json.Compact(&out, text))
	return out.String()
}

func address(t testing.TB) registry.Address {
	t.Helper()
	a, err := registry.ParseAddress("http://localhost:5000/v2/")
	require.NoError(t, err)
	return a
}
