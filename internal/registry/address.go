package registry

import (
	"errors"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Errors of ParseAddress. They do not repeat the address, which may hold a
// password.
var (
	ErrCredentials = errors.New("the address holds a user or a password")
	ErrAddress     = errors.New("the address is not HOST, HOST:PORT or a URL of one")
)

// An Address is where a registry is.
type Address struct {
	scheme string // empty: https first, then http
	host   string // with the port, if one was given
}

// ParseAddress parses HOST, HOST:PORT, or a URL of these with the scheme http
// or https.
func ParseAddress(s string) (Address, error) {
	if strings.Contains(s, "@") {
		return Address{}, ErrCredentials
	}
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		scheme, rest = "", s
	}
	scheme = strings.ToLower(scheme)
	if ok && scheme != "http" && scheme != "https" {
		return Address{}, ErrAddress
	}
	u, err := url.Parse("https://" + rest)
	if err != nil || !isHost(u) || strings.ContainsAny(rest, "?#") ||
		!slices.Contains([]string{"", "/", "/v2", "/v2/"}, u.Path) {
		return Address{}, ErrAddress
	}
	return Address{scheme, u.Host}, nil
}

// String returns the address without a path: with a scheme if one was given.
func (a Address) String() string {
	if a.scheme == "" {
		return a.host
	}
	return a.scheme + "://" + a.host
}

// Host returns the host, with the port if one was given.
func (a Address) Host() string { return a.host }

// hasPort reports whether the address names a port.
func (a Address) hasPort() bool {
	_, _, err := net.SplitHostPort(a.host)
	return err == nil
}

// isHost reports whether a URL has a host that can be printed and used as the
// name of a directory: ASCII letters, digits and ".-_", or an IP address, and a
// valid port if any.
func isHost(u *url.URL) bool {
	name := u.Hostname()
	if name == "" || strings.Trim(name, ".") == "" || strings.HasSuffix(u.Host, ":") {
		return false
	}
	for _, c := range name {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune(".-_:", c) {
			return false
		}
	}
	if u.Port() == "" {
		return true
	}
	_, err := strconv.ParseUint(u.Port(), 10, 16)
	return err == nil
}

// origin returns the scheme, host and port of a URL, or an empty string if no registry
// can be there. It omits path and query, which may repeat the password.
func origin(u *url.URL) string {
	if u.Scheme != "http" && u.Scheme != "https" || u.User != nil || !isHost(u) {
		return ""
	}
	return u.Scheme + "://" + u.Host
}
