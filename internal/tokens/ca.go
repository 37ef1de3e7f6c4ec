package tokens

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/registryctl/registryctl/internal/atomicfile"
)

const (
	// rotation is how long a key signs tokens.
	rotation = time.Hour
	// skew is how much the clocks of the registry and the server may differ, for the
	// validity of certificates. The registry allows less for the token itself.
	skew = 5 * time.Minute
)

// A CA signs the certificates in the tokens. Its own certificate is the rootcertbundle of
// the registry.
type CA struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

// CertFile returns where the certificate of the CA with this key is.
func CertFile(keyFile string) string {
	return strings.TrimSuffix(keyFile, filepath.Ext(keyFile)) + ".crt"
}

// OpenCA reads the key of a CA and its certificate. It creates the missing ones: a key
// with mode 0600 and, beside it, a certificate with mode 0644 that is valid for 20 years.
// Servers that start at the same time get the same key.
func OpenCA(ctx context.Context, keyFile string) (*CA, error) {
	key, err := openPEM(ctx, keyFile, 0o600, parseKey, func() (*pem.Block, error) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, err
		}
		der, err := x509.MarshalPKCS8PrivateKey(key)
		return &pem.Block{Type: "PRIVATE KEY", Bytes: der}, err
	})
	if err != nil {
		return nil, err
	}
	certFile := CertFile(keyFile)
	cert, err := openPEM(ctx, certFile, 0o644, x509.ParseCertificate, func() (*pem.Block, error) {
		der, err := newCACertificate(key)
		return &pem.Block{Type: "CERTIFICATE", Bytes: der}, err
	})
	if err != nil {
		return nil, err
	}
	if !key.PublicKey.Equal(cert.PublicKey) {
		return nil, fmt.Errorf("%s does not belong to %s: remove it, and it is created again", certFile, keyFile)
	}
	return &CA{key, cert}, nil
}

func parseKey(der []byte) (*ecdsa.PrivateKey, error) {
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		key, err = x509.ParseECPrivateKey(der)
	}
	if ec, ok := key.(*ecdsa.PrivateKey); err == nil && ok && ec.Curve == elliptic.P256() {
		return ec, nil
	}
	return nil, errors.New("want a private key for ECDSA with P-256")
}

func newCACertificate(key *ecdsa.PrivateKey) ([]byte, error) {
	now := time.Now()
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "registryctl"},
		NotBefore:             now.Add(-skew),
		NotAfter:              now.AddDate(20, 0, 0),
		KeyUsage:              x509.KeyUsageCertSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	return x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
}

// openPEM reads a file with one block, or creates it with the block that generate returns.
func openPEM[T any](ctx context.Context, path string, mode fs.FileMode, parse func(der []byte) (T, error), generate func() (*pem.Block, error)) (value T, err error) {
	text, _, err := atomicfile.ReadToWatch(path)
	if errors.Is(err, fs.ErrNotExist) {
		_, err = atomicfile.Update(ctx, path, atomicfile.Options{Create: true, Mode: mode}, func(now string) (io.WriterTo, error) {
			if text = now; now != "" {
				return nil, nil // another server was faster
			}
			block, err := generate()
			if err != nil {
				return nil, err
			}
			text = string(pem.EncodeToMemory(block))
			return strings.NewReader(text), nil
		})
	}
	if err != nil {
		return value, err
	}
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return value, fmt.Errorf("%s: want PEM", path)
	}
	if value, err = parse(block.Bytes); err != nil {
		return value, fmt.Errorf("%s: %w", path, err)
	}
	return value, nil
}

// A signer signs tokens with a key that is kept only in memory and replaced after
// rotation. The tokens carry its certificate, which is valid longer than any of them.
type signer struct {
	mu    sync.Mutex
	jose  jose.Signer
	since time.Time
}

func (s *signer) sign(ca *CA, now time.Time, ttl time.Duration, c claims) (string, error) {
	signer, err := s.current(ca, now, ttl)
	if err != nil {
		return "", err
	}
	return jwt.Signed(signer).Claims(c).Serialize()
}

func (s *signer) current(ca *CA, now time.Time, ttl time.Duration) (jose.Signer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if age := now.Sub(s.since); s.jose != nil && age >= 0 && age < rotation {
		return s.jose, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		Subject:   pkix.Name{CommonName: "registryctl token"},
		NotBefore: now.Add(-skew),
		NotAfter:  now.Add(rotation + ttl + skew),
		KeyUsage:  x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.cert, key.Public(), ca.key)
	if err != nil {
		return nil, err
	}
	options := (&jose.SignerOptions{}).WithType("JWT").WithHeader("x5c", []string{base64.StdEncoding.EncodeToString(der)})
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, options)
	if err != nil {
		return nil, err
	}
	s.jose, s.since = signer, now
	return signer, nil
}
