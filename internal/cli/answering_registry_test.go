package cli

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// answeringRegistry is "registry ANSWER": a registry that answers in one way, at
// $REGISTRY, until the script ends. It lets elton in with the password d0cker.
// That of its token server, if it has one, is $TOKENS. With "tls" its certificate
// is written to ca.crt.
func answeringRegistry(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: registry ANSWER")
	}
	answer, ok := registryAnswers[args[0]]
	if !ok {
		ts.Fatalf("no such answer")
	}
	s := httptest.NewUnstartedServer(nil)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	ts.Defer(s.Close)
	realm := ""
	if strings.HasPrefix(args[0], "token") {
		tokens := httptest.NewServer(tokenAnswer(args[0]))
		ts.Defer(tokens.Close)
		realm = tokens.URL
		ts.Setenv("TOKENS", realm)
	}
	s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { answer(w, r, realm) })
	switch args[0] {
	case "tls", "tls-name", "tls-expired":
		cert := certificateFor(ts, args[0])
		ts.Check(os.WriteFile(ts.MkAbs("ca.crt"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]}), 0o600))
		s.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
		s.StartTLS()
	default:
		s.Start()
	}
	_, port, err := net.SplitHostPort(s.Listener.Addr().String())
	ts.Check(err)
	ts.Setenv("REGISTRY", "127.0.0.1:"+port)
	ts.Setenv("PORT", port)
	if args[0] == "closed" {
		s.Close()
	}
}

type registryAnswer func(w http.ResponseWriter, r *http.Request, realm string)

var registryAnswers = map[string]registryAnswer{
	"basic":         afterLogin(http.StatusOK),
	"unreadable":    afterLogin(http.StatusBadRequest),
	"failing":       afterLogin(http.StatusServiceUnavailable),
	"failing-nginx": afterLogin(http.StatusInternalServerError),
	"redirecting":   afterLogin(http.StatusTemporaryRedirect),
	"tls":           afterLogin(http.StatusOK),
	"tls-name":      afterLogin(http.StatusOK),
	"tls-expired":   afterLogin(http.StatusOK),
	"closed":        afterLogin(http.StatusOK),
	"open":          func(http.ResponseWriter, *http.Request, string) {},
	"moved": func(w http.ResponseWriter, r *http.Request, _ string) {
		http.Redirect(w, r, "https://registry.example/v2/", http.StatusMovedPermanently)
	},
	"tls-expected":  func(w http.ResponseWriter, _ *http.Request, _ string) { w.WriteHeader(http.StatusBadRequest) },
	"silent":        func(_ http.ResponseWriter, r *http.Request, _ string) { <-r.Context().Done() },
	"realm-missing": withToken(http.StatusOK),
	"token":         withToken(http.StatusOK),
	"token-opaque":  withToken(http.StatusOK),
	"token-moved":   withToken(http.StatusOK),
	"token-refused": withToken(http.StatusUnauthorized),
}

func challenge(w http.ResponseWriter, how string) {
	w.Header().Set("WWW-Authenticate", how)
	w.WriteHeader(http.StatusUnauthorized)
}

// afterLogin answers the right password with a status.
func afterLogin(status int) registryAnswer {
	return func(w http.ResponseWriter, r *http.Request, _ string) {
		if user, password, _ := r.BasicAuth(); user != "elton" || password != "d0cker" {
			challenge(w, `Basic realm="Registry Realm"`)
			return
		}
		w.Header().Set("Location", "https://registry.example/v2/")
		w.WriteHeader(status)
	}
}

// withToken answers a token with a status.
func withToken(status int) registryAnswer {
	return func(w http.ResponseWriter, r *http.Request, realm string) {
		if !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ") {
			challenge(w, fmt.Sprintf(`Bearer realm=%q,service="registry"`, realm))
			return
		}
		w.WriteHeader(status)
	}
}

// tokenAnswer is a token server that grants elton to pull labs/app.
func tokenAnswer(how string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "elton" || password != "d0cker" {
			challenge(w, `Basic realm="tokens"`)
			return
		}
		token := "e30." + base64.RawURLEncoding.EncodeToString([]byte(`{"access":[{"type":"repository","name":"labs/app","actions":["pull"]}]}`)) + "."
		switch how {
		case "token-opaque":
			token = "opaque"
		case "token-moved":
			http.Redirect(w, r, "https://auth.example/token", http.StatusMovedPermanently)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]string{"token": token})
	}
}

func certificateFor(ts *testscript.TestScript, how string) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	switch how {
	case "tls-name":
		template.IPAddresses, template.DNSNames = nil, []string{"*.example", "localhost"}
	case "tls-expired":
		template.NotAfter = time.Now().Add(-time.Minute)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	ts.Check(err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
