package registry

import (
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/crypto/x509roots/fallback/bundle"

	"github.com/registryctl/registryctl/internal/atomicfile"
)

// ErrNoCertificate is in the error of Roots for a file without a certificate.
var ErrNoCertificate = errors.New("no certificate in PEM")

// Roots returns the certificate authorities to trust for a registry: those of
// the system, those that docker and podman trust for this registry, and those
// in the PEM file caFile, if it is not empty.
//
// Certificates of docker that cannot be read are skipped, because docker may run as
// another user. The error is about caFile: ErrNoCertificate, or that of reading it.
func Roots(a Address, caFile string) (*x509.CertPool, error) {
	pool := systemRoots()
	for _, dir := range certificateDirs(a) {
		addDirectory(pool, dir)
	}
	if caFile == "" {
		return pool, nil
	}
	text, err := atomicfile.Read(caFile)
	if err != nil {
		return nil, err
	}
	if !pool.AppendCertsFromPEM([]byte(text)) {
		return nil, fmt.Errorf("%s: %w", caFile, ErrNoCertificate)
	}
	return pool, nil
}

// DockerDirectory returns the directory in which docker looks for the certificate
// authority of a registry, in a file *.crt, or an empty string if it is not known.
func DockerDirectory(a Address) string {
	dirs := certificateDirs(a)
	if len(dirs) == 0 {
		return ""
	}
	return dirs[0]
}

// certificateDirs returns the directories with the certificate authorities of
// one registry, as docker's documentation and containers-certs.d(5) name them.
func certificateDirs(a Address) []string {
	home, _ := os.UserHomeDir() // without one, nothing is below it
	name := a.host
	parents := []string{
		"/etc/docker",
		filepath.Join(home, ".docker"),
		filepath.Join(home, ".config/docker"),
		"/etc/containers",
		filepath.Join(home, ".config/containers"),
	}
	switch runtime.GOOS {
	case "windows":
		name = strings.ReplaceAll(name, ":", "") // docker does, as no file name can hold it
		parents = []string{
			filepath.Join(os.Getenv("ProgramData"), "docker"),
			filepath.Join(home, ".docker"),
		}
	case "darwin": // Docker Desktop
		parents[0], parents[1] = parents[1], parents[0]
	}
	var dirs []string
	for _, p := range parents {
		if filepath.IsAbs(p) {
			dirs = append(dirs, filepath.Join(p, "certs.d", name))
		}
	}
	return dirs
}

// addDirectory adds the certificates of a directory, as far as they can be read.
func addDirectory(pool *x509.CertPool, dir string) {
	files, _ := os.ReadDir(dir)
	for _, f := range files {
		if filepath.Ext(f.Name()) != ".crt" {
			continue
		}
		if text, err := os.ReadFile(filepath.Join(dir, f.Name())); err == nil {
			pool.AppendCertsFromPEM(text)
		}
	}
}

func systemRoots() *x509.CertPool {
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	return orMozilla(pool)
}

// orMozilla returns the certificate authorities of the system or, if there are none, as
// in an image from scratch, those of Mozilla, unless SSL_CERT_FILE or SSL_CERT_DIR is
// set. They come from a module, which is updated like all others; a bundle in the image
// would need updates of its own, and would not help outside of the image.
func orMozilla(pool *x509.CertPool) *x509.CertPool {
	if !pool.Equal(x509.NewCertPool()) || os.Getenv("SSL_CERT_FILE") != "" || os.Getenv("SSL_CERT_DIR") != "" {
		return pool
	}
	pool = x509.NewCertPool()
	for root := range bundle.Roots() {
		cert, err := x509.ParseCertificate(root.Certificate)
		if err != nil {
			continue // the others still count
		}
		if root.Constraint == nil {
			pool.AddCert(cert)
		} else {
			pool.AddCertWithConstraint(cert, root.Constraint)
		}
	}
	return pool
}
