package testserver

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Certificate is a certificate and its key, as files for a server, and as a
// pool for clients that trust it.
type Certificate struct {
	CertFile, KeyFile string
	Pool              *x509.CertPool
}

// NewCertificate makes a self-signed certificate for localhost, 127.0.0.1, ::1 and
// these addresses, in a directory that is removed with the test.
func NewCertificate(t testing.TB, addresses ...net.IP) *Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(now.UnixNano()),
		Subject:               pkix.Name{CommonName: "localhost"},
		DNSNames:              []string{"localhost"},
		IPAddresses:           append(addresses, net.IPv4(127, 0, 0, 1), net.IPv6loopback),
		NotBefore:             now.Add(-time.Hour), // clocks differ
		NotAfter:              now.Add(24 * time.Hour),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)

	dir := t.TempDir()
	c := &Certificate{
		CertFile: filepath.Join(dir, "registry.crt"),
		KeyFile:  filepath.Join(dir, "registry.key"),
		Pool:     x509.NewCertPool(),
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	require.True(t, c.Pool.AppendCertsFromPEM(certPEM))
	require.NoError(t, os.WriteFile(c.CertFile, certPEM, 0o644))
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	require.NoError(t, os.WriteFile(c.KeyFile, keyPEM, 0o600))
	return c
}
