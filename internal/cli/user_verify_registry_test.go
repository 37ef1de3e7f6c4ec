package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/internal/testserver"
)

// A verifyRun is what a person sees of user verify.
type verifyRun struct {
	status         int
	stdout, stderr string
}

// verifyBy runs it for elton, with the password on standard input.
func verifyBy(t *testing.T, password string, args ...string) verifyRun {
	t.Helper()
	var out, errOut bytes.Buffer
	args = append([]string{program, "user", "verify", "elton", "--password-stdin"}, args...)
	status := Main(args, strings.NewReader(password), &out, &errOut)
	assert.NotContains(t, out.String()+errOut.String(), password)
	return verifyRun{status, out.String(), errOut.String()}
}

// fileOf is the file of these users, "name:password" each, and what else is given
// is a line as it is.
func fileOf(t *testing.T, users ...string) string {
	t.Helper()
	var b strings.Builder
	for _, u := range users {
		name, password, ok := strings.Cut(u, ":")
		if ok {
			h, err := htpasswd.HashPassword([]byte(password), htpasswd.MinCost)
			require.NoError(t, err)
			u = name + ":" + h.Encoded()
		}
		b.WriteString(u + "\n")
	}
	return b.String()
}

func create(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "htpasswd")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	return file
}

// rewrite writes another text, with an mtime that is off by this much from the one before.
func rewrite(t *testing.T, file, text string, by time.Duration) {
	t.Helper()
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	mtime := info.ModTime().Add(by)
	require.NoError(t, os.Chtimes(file, mtime, mtime))
}

// What the real registries answer, and what is said of it.
func TestVerifyRegistry(t *testing.T) {
	for _, name := range testserver.Registries {
		t.Run(name, func(t *testing.T) {
			cert := testserver.NewCertificate(t)
			file := create(t, fileOf(t, "elton:d0cker"))
			r := testserver.StartRegistry(t, name, testserver.RegistryConfig{Htpasswd: file, TLS: cert})
			other := create(t, fileOf(t, "elton:an0ther"))
			absent := filepath.Join(t.TempDir(), "absent")
			expect := func(status int, password, file, stderr string, args ...string) {
				t.Helper()
				v := verifyBy(t, password, append([]string{"--registry", r.Addr, "--ca-file", cert.CertFile, "-f", file}, args...)...)
				assert.Equal(t, verifyRun{status, "", stderr}, v)
			}
			url := r.URL

			// Accepted.
			expect(0, "d0cker", file, url+" lets \"elton\" in; "+file+" lets them in\n")
			expect(0, "d0cker", other, url+" lets \"elton\" in; "+other+" has a different password\n")
			expect(0, "d0cker", absent, url+" lets \"elton\" in; "+absent+" does not exist here\n")
			expect(0, "d0cker", file, "", "-q")
			expect(0, "d0cker", file, url+" lets \"elton\" in; "+file+" lets them in\n", "--registry", url+"/v2/")

			// Refused: it is the wrong password, or the registry has read another file.
			const (
				readAnother = "  hint: the registry reads another file: check the path that it is given, and mount the directory instead of the file\n"
				setNew      = "  hint: registryctl user passwd elton -f "
			)
			expect(3, "wr0ng", file, "registryctl: "+url+" refuses \"elton\"; "+file+" has a different password\n"+setNew+file+"\n")
			expect(3, "an0ther", other, "registryctl: "+url+" refuses \"elton\"; "+other+" lets them in\n"+readAnother)
			expect(3, "an0ther", absent, "registryctl: "+url+" refuses \"elton\"; "+absent+" does not exist here\n  hint: name the file that the registry reads, to compare\n")
			nobody := create(t, "# nobody\n")
			expect(3, "an0ther", nobody, "registryctl: "+url+" refuses \"elton\"; "+nobody+" has no such user\n  hint: registryctl user list -f "+nobody+" # if the registry reads another file, name it with -f\n", "-q")

			// A malformed line: 400 once, and then those who were there before.
			rewrite(t, file, fileOf(t, "elton:n3w", "no entry"), time.Second)
			expect(7, "n3w", file, "registryctl: "+url+" cannot read its htpasswd file: it is missing, malformed or not readable by the registry's user\n"+
				"  hint: registryctl check -f "+file+"\n")
			expect(3, "n3w", file, "registryctl: "+url+" refuses \"elton\"; "+file+" is malformed\n"+
				"  hint: registryctl check -f "+file+" # until this is fixed, the registry lets in the users that it had before\n")
			expect(0, "d0cker", file, url+" lets \"elton\" in; "+file+" is malformed\n")
			// Mended, and not seen.
			rewrite(t, file, fileOf(t, "elton:n3w"), 0)
			expect(3, "n3w", file, "registryctl: "+url+" refuses \"elton\"; "+file+" lets them in\n"+readAnother)
			// Mended, and seen.
			rewrite(t, file, fileOf(t, "elton:n3w"), time.Second)
			expect(0, "n3w", file, url+" lets \"elton\" in; "+file+" lets them in\n")

			// No file.
			require.NoError(t, os.Remove(file))
			for range 2 {
				expect(7, "n3w", file, "registryctl: "+url+" cannot read its htpasswd file: it is missing, malformed or not readable by the registry's user\n"+
					"  hint: registryctl check -f "+file+"\n")
			}

			// A certificate that is not trusted. Then it is asked nothing.
			v := verifyBy(t, "n3w", "--registry", r.Addr, "-f", other)
			assert.Equal(t, 1, v.status)
			assert.Regexp(t, `^registryctl: the certificate of `+url+` is not trusted: x509: .*\n  hint: registryctl user verify .* --ca-file ca.crt .*/certs.d/`+r.Addr+`\n$`, v.stderr)

			// Plain http to where TLS is spoken.
			v = verifyBy(t, "n3w", "--registry", "http://"+r.Addr, "-f", other)
			assert.Equal(t, verifyRun{1, "", "registryctl: http://" + r.Addr + " answers with status 400, unlike a registry\n" +
				"  hint: registryctl user verify --registry https://" + r.Addr + " --password-stdin elton -f " + other + "\n"}, v)
		})
	}
}

// A registry without TLS: on this machine that is enough.
func TestVerifyRegistryPlain(t *testing.T) {
	for _, name := range testserver.Registries {
		t.Run(name, func(t *testing.T) {
			file := create(t, fileOf(t, "elton:d0cker"))
			r := testserver.StartRegistry(t, name, testserver.RegistryConfig{Htpasswd: file})
			for _, address := range []string{r.Addr, r.URL} {
				v := verifyBy(t, "d0cker", "--registry", address, "-f", file)
				assert.Equal(t, verifyRun{0, "", r.URL + " lets \"elton\" in; " + file + " lets them in\n"}, v)
				v = verifyBy(t, "wr0ng", "--registry", address, "-f", file)
				assert.Equal(t, 3, v.status)
			}
			v := verifyBy(t, "d0cker", "--registry", "https://"+r.Addr, "-f", file)
			assert.Equal(t, verifyRun{1, "", "registryctl: https://" + r.Addr + " does not speak TLS\n" +
				"  hint: registryctl user verify --registry http://" + r.Addr + " --password-stdin elton -f " + file + "\n"}, v)

			open := testserver.StartRegistry(t, name, testserver.RegistryConfig{})
			v = verifyBy(t, "d0cker", "--registry", open.Addr, "-f", file)
			assert.Equal(t, verifyRun{7, "", "registryctl: " + open.URL + " asks for no password: everyone is let in\n" +
				"  hint: it needs REGISTRY_AUTH=htpasswd, REGISTRY_AUTH_HTPASSWD_REALM and REGISTRY_AUTH_HTPASSWD_PATH\n"}, v)
		})
	}
}

// The JSON output holds what the registry and the file say. What a person reads is
// in testdata/script/user_verify_registry_outcomes.txtar.
func TestVerifyRegistryJSON(t *testing.T) {
	const login = `Basic realm="Registry Realm"`
	answer := func(status int, challenge string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("WWW-Authenticate", challenge)
			w.Header().Set("Location", "https://registry.example/v2/")
			w.WriteHeader(status)
		}
	}
	toLogin := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") == "" {
				answer(http.StatusUnauthorized, login)(w, r)
				return
			}
			answer(status, login)(w, r)
		}
	}
	silent := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	file := create(t, fileOf(t, "elton:d0cker"))
	for _, tt := range []struct {
		reason     string
		status     int
		fileReason string
		handler    http.HandlerFunc
	}{
		{"accepted", 0, "accepted", toLogin(200)},
		{"refused", 3, "accepted", toLogin(401)},
		{"file-refused", 7, "accepted", toLogin(400)},
		{"redirect", 1, "accepted", toLogin(307)},
		{"unexpected", 1, "accepted", toLogin(503)},
		{"no-password", 7, "", answer(200, "")},
		{"token", 7, "", answer(401, `Bearer realm="auth.example",service="registry"`)},
		{"redirect", 1, "", answer(301, "")},
		{"unexpected", 1, "", answer(404, "")},
		{"timeout", 1, "", silent},
	} {
		t.Run(fmt.Sprint(tt.reason, tt.fileReason), func(t *testing.T) {
			s := httptest.NewServer(tt.handler)
			t.Cleanup(s.Close)
			args := []string{"--registry", s.URL, "-f", file, "-o", "json"}
			if tt.reason == "timeout" {
				args = append(args, "--timeout", "50ms")
			}
			v := verifyBy(t, "d0cker", args...)
			assert.Equal(t, tt.status, v.status)
			want, err := json.Marshal(map[string]any{
				"user": "elton", "accepted": tt.status == 0, "reason": tt.reason,
				"file": file, "file_reason": tt.fileReason, "registry": s.URL,
			})
			require.NoError(t, err)
			assert.JSONEq(t, string(want), v.stdout)
		})
	}
}

// hospitableRegistry lets everybody in who has a password.
func hospitableRegistry(t *testing.T) (url string) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" {
			w.Header().Set("WWW-Authenticate", "Basic realm=x")
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// What the file says, beside a registry that lets the user in.
func TestVerifyFileBeside(t *testing.T) {
	url := hospitableRegistry(t)
	folder := t.TempDir()
	for _, tt := range []struct{ file, reason, says string }{
		{create(t, fileOf(t, "elton:d0cker")), "accepted", "lets them in"},
		{create(t, fileOf(t, "elton:an0ther")), "wrong-password", "has a different password"},
		{create(t, fileOf(t, "francis:d0cker")), "unknown-user", "has no such user"},
		{create(t, "elton:{SHA}kNoej8FsdG2erAqFiri5sSEd/XM=\n"), "not-bcrypt", "has the password, but not as bcrypt"},
		{create(t, "elton:rqXexS6ZhobKA\n"), "unknown-hash", "has no hash that can be compared"},
		{create(t, "elton:d\n"), "unknown-hash", "has no hash that can be compared"},
		{create(t, fileOf(t, "elton:d0cker", "no entry")), "malformed-file", "is malformed"},
		{create(t, "\xff\xfee\x00:\x00x\x00"), "malformed-file", "is malformed"},
		{filepath.Join(folder, "absent"), "no-file", "does not exist here"},
		{folder, "unreadable-file", "cannot be read here"},
	} {
		v := verifyBy(t, "d0cker", "--registry", url, "-f", tt.file, "-o", "json")
		assert.Equal(t, 0, v.status)
		assert.Equal(t, url+" lets \"elton\" in; "+tt.file+" "+tt.says+"\n", v.stderr)
		var report verifyReport
		require.NoError(t, json.Unmarshal([]byte(v.stdout), &report))
		assert.Equal(t, verifyReport{"elton", true, "accepted", tt.file, tt.reason, url}, report)
	}
	t.Chdir(folder)
	t.Setenv(fileVariable, "")
	assert.Equal(t, verifyRun{0, "", url + " lets \"elton\" in\n"}, verifyBy(t, "d0cker", "--registry", url))
	t.Setenv(fileVariable, "absent") // which somebody has named
	assert.Equal(t, verifyRun{0, "", url + " lets \"elton\" in; absent does not exist here\n"}, verifyBy(t, "d0cker", "--registry", url))
}

// A name that the registry could not tell from its password goes nowhere.
func TestVerifyBadName(t *testing.T) {
	var out, errOut bytes.Buffer
	status := Main([]string{program, "user", "verify", "elton:d0cker", "--password-stdin", "--registry", "localhost:1"}, strings.NewReader("x"), &out, &errOut)
	assert.Equal(t, 6, status)
	assert.NotContains(t, errOut.String(), "d0cker")
}
