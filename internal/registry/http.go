package registry

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"syscall"
)

const (
	maxHeaderBytes = 64 << 10
	maxTokenBytes  = 1 << 20 // of the JSON that holds a token
)

// An answer holds the parts of a response that are used.
type answer struct {
	status     int
	challenges []challenge
	location   string // origin that a redirect leads to; empty if there is none that can be shown
	body       []byte // if it was asked for
}

// get asks for a URL, follows no redirect, and reads up to maxBody bytes of the
// body.
func (c Client) get(ctx context.Context, address, authorization string, maxBody int64) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("User-Agent", "registryctl")
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	client := http.Client{
		Transport:     c.transport(req.URL.Scheme),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	a := answer{status: resp.StatusCode, challenges: parseChallenges(resp.Header)}
	if to, err := resp.Location(); err == nil && authorization == "" { // else it may repeat the password
		a.location = origin(to)
	}
	if maxBody > 0 {
		a.body, err = io.ReadAll(io.LimitReader(resp.Body, maxBody))
	}
	return a, err
}

func (c Client) transport(scheme string) *http.Transport {
	dialer := c.dialer(scheme)
	config := &tls.Config{RootCAs: c.Roots}
	t := &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return clientFirst(dialer.DialContext(ctx, network, address))
		},
		DialTLSContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return clientFirst((&tls.Dialer{NetDialer: dialer, Config: config}).DialContext(ctx, network, address))
		},
		TLSClientConfig:        config, // through a proxy
		TLSHandshakeTimeout:    c.Timeout,
		DisableKeepAlives:      true, // a person types in between
		MaxResponseHeaderBytes: maxHeaderBytes,
		Proxy:                  http.ProxyFromEnvironment,
	}
	if dialer.Control != nil {
		t.Proxy = nil // a proxy on this machine would forward the password in plain text
	}
	return t
}

func (c Client) dialer(scheme string) *net.Dialer {
	dialer := &net.Dialer{Timeout: c.Timeout} // a dial outlives the context of a request
	if scheme == "http" && !c.PlainHTTP {
		dialer.Control = loopbackOnly
	}
	return dialer
}

var errPlainHTTP = errors.New("plain http to another machine")

// loopbackOnly refuses a connection to another machine. It is called with the IP address
// to which a name was resolved.
func loopbackOnly(_, address string, _ syscall.RawConn) error {
	if a, err := netip.ParseAddrPort(address); err != nil || !a.Addr().Unmap().IsLoopback() {
		return errPlainHTTP
	}
	return nil
}

// clientFirst returns a connection whose Read waits until something was written or the
// connection was closed. Otherwise http.Transport would log what a server sends before
// it is asked, and only to the standard logger, which belongs to the whole program.
func clientFirst(conn net.Conn, err error) (net.Conn, error) {
	if err != nil {
		return nil, err
	}
	c := &clientFirstConn{Conn: conn, begun: make(chan struct{})}
	c.begin = sync.OnceFunc(func() { close(c.begun) })
	return c, nil
}

type clientFirstConn struct {
	net.Conn
	begun chan struct{}
	begin func()
}

func (c *clientFirstConn) Read(p []byte) (int, error) {
	<-c.begun
	return c.Conn.Read(p)
}

func (c *clientFirstConn) Write(p []byte) (int, error) {
	c.begin()
	return c.Conn.Write(p)
}

func (c *clientFirstConn) Close() error {
	c.begin()
	return c.Conn.Close()
}
