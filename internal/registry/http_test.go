package registry

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// accept gives each connection to serve, and closes it then.
func accept(t *testing.T, address string, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", address)
	require.NoError(t, err)
	var served sync.WaitGroup
	served.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			served.Go(func() {
				defer conn.Close()
				serve(conn)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		served.Wait()
	})
	return l.Addr().String()
}

// listen gives each connection to serve after the first bytes of the client have
// come, and closes it when the client has.
func listen(t *testing.T, address string, serve func(conn net.Conn, request string)) string {
	t.Helper()
	return accept(t, address, func(conn net.Conn) {
		if first := make([]byte, 4096); serve != nil {
			n, _ := conn.Read(first)
			serve(conn, string(first[:n]))
			_ = conn.(*net.TCPConn).CloseWrite()
		}
		_, _ = io.Copy(io.Discard, conn) // or what it has sent would reset it
	})
}

// Whoever a registry redirects to gets neither a password nor a request.
func TestRedirect(t *testing.T) {
	elsewhere := start(t, false, basic, status(http.StatusOK))
	for name, location := range map[string]string{
		elsewhere.URL:         elsewhere.URL + "/v2/",
		"http://host.EXAMPLE": "http://host.EXAMPLE/" + secret,
		"":                    "http://host\u202e.example/v2/",
	} {
		r, wanted := ask(t, clientOf(t, start(t, false, redirect(location), nil).URL))
		assert.Equal(t, Redirected, r.Outcome)
		assert.Equal(t, name, r.Location)
		assert.False(t, wanted)
	}
	for _, location := range []string{elsewhere.URL, "/v2/other", "http://" + secret + ".example/", "http://" + user + ":" + secret + "@" + elsewhere.Listener.Addr().String()} {
		s := start(t, false, basic, redirect(location))
		r, _ := ask(t, clientOf(t, s.URL))
		assert.Equal(t, Result{Outcome: Redirected, URL: s.URL, Server: s.URL, Status: http.StatusTemporaryRedirect}, r)
		assert.Equal(t, 2, s.asked(), "nor does it ask the same registry again")
	}
	assert.Zero(t, elsewhere.asked())
}

// Plain http does not leave the machine, whatever the address is called.
func TestPlainHTTP(t *testing.T) {
	for _, address := range []string{"http://192.0.2.1:5000", "http://192.0.2.1", "http://[2001:db8::1]:5000", "http://[::ffff:192.0.2.1]:5000"} {
		r, wanted := ask(t, clientOf(t, address))
		assert.Equal(t, Result{Outcome: PlainHTTP, URL: address, Server: address}, r)
		assert.False(t, wanted)
	}

	// An address of this machine that others reach too: nothing is even dialled.
	own := ownAddress(t)
	var dialled sync.Map
	address := listen(t, net.JoinHostPort(own, "0"), func(conn net.Conn, _ string) {
		dialled.Store("conn", true)
		_, _ = io.WriteString(conn, "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=x\r\n\r\n")
	})
	r, wanted := ask(t, clientOf(t, "http://"+address))
	assert.Equal(t, PlainHTTP, r.Outcome)
	assert.False(t, wanted)
	_, was := dialled.Load("conn")
	assert.False(t, was, "dialled")

	// There, without a scheme: the one try is that of TLS.
	r, wanted = ask(t, clientOf(t, address))
	assert.Equal(t, Result{Outcome: PlainHTTP, URL: "http://" + address, Server: "http://" + address}, r)
	assert.False(t, wanted)

	// What refuses it is left out only where that was asked for.
	c := clientOf(t, address)
	assert.NotNil(t, c.dialer("http").Control)
	assert.Nil(t, c.dialer("https").Control)
	c.PlainHTTP = true
	assert.Nil(t, c.dialer("http").Control)
}

// ownAddress is one of this machine that is no loopback address.
func ownAddress(t *testing.T) string {
	t.Helper()
	addrs, err := net.InterfaceAddrs()
	require.NoError(t, err)
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.IsGlobalUnicast() {
			return n.IP.String()
		}
	}
	t.Skip("no address but the loopback")
	return ""
}

// A proxy on this machine would be dialled at a loopback address and send the
// password on.
func TestNoProxyForPlainHTTP(t *testing.T) {
	assert.Nil(t, Client{}.transport("http").Proxy)
	assert.NotNil(t, Client{}.transport("https").Proxy)
	assert.NotNil(t, Client{PlainHTTP: true}.transport("http").Proxy)
}

// Neither a body nor a header without an end is read for long.
func TestBounded(t *testing.T) {
	endless := func(status int, challenge string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("WWW-Authenticate", challenge)
			w.WriteHeader(status)
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 32<<10)); err != nil {
					return
				}
			}
		}
	}
	s := start(t, false, endless(http.StatusUnauthorized, "Basic realm=x"), endless(http.StatusOK, ""))
	r, _ := ask(t, clientOf(t, s.URL))
	assert.Equal(t, Accepted, r.Outcome)

	header := listen(t, "127.0.0.1:0", func(conn net.Conn, _ string) {
		_, err := io.WriteString(conn, "HTTP/1.1 401 Unauthorized\r\n")
		for err == nil {
			_, err = io.WriteString(conn, "X-Header: "+strings.Repeat("x", 1000)+"\r\n")
		}
	})
	r, _ = ask(t, clientOf(t, "http://"+header))
	assert.Contains(t, []Outcome{Unexpected, Unreachable}, r.Outcome)
}

// A registry that says the request back says it to nobody.
func TestEcho(t *testing.T) {
	var asked sync.Map
	address := listen(t, "127.0.0.1:0", func(conn net.Conn, request string) {
		if !strings.Contains(request, "Authorization") {
			_, _ = io.WriteString(conn, "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=x\r\n\r\n")
			return
		}
		asked.Store("echoed", true)
		_, _ = fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\n%s %s\r\n\r\n", user, secret)
	})
	r, _ := ask(t, clientOf(t, "http://"+address))
	_, echoed := asked.Load("echoed")
	require.True(t, echoed)
	assert.Equal(t, Result{Outcome: Unexpected, URL: "http://" + address, Server: "http://" + address}, r)
}

// Nothing of what a server sends unasked is printed, over http or TLS, and the
// standard logger stays as the program has set it.
func TestGreeting(t *testing.T) {
	var printed bytes.Buffer
	defer func(w io.Writer) { log.SetOutput(w) }(log.Writer())
	log.SetOutput(&printed)

	s := start(t, true, basic, nil)
	for scheme, wrap := range map[string]func(net.Conn) net.Conn{
		"http":  func(conn net.Conn) net.Conn { return conn },
		"https": func(conn net.Conn) net.Conn { return tls.Server(conn, s.TLS) },
	} {
		greeted := make(chan struct{})
		address := accept(t, "127.0.0.1:0", func(conn net.Conn) {
			conn = wrap(conn)
			_, _ = io.WriteString(conn, "220 mail.example ESMTP\r\n")
			greeted <- struct{}{}
			_, _ = io.Copy(io.Discard, conn)
		})
		c := clientOf(t, scheme+"://"+address)
		c.Roots = trust(t, s)
		transport := c.transport(scheme)
		// The Transport gets each connection when the greeting has come.
		afterGreeting := func(dial func(context.Context, string, string) (net.Conn, error)) func(context.Context, string, string) (net.Conn, error) {
			return func(ctx context.Context, network, address string) (net.Conn, error) {
				conn, err := dial(ctx, network, address)
				assert.IsType(t, &clientFirstConn{}, conn)
				<-greeted
				return conn, err
			}
		}
		transport.DialContext = afterGreeting(transport.DialContext)
		transport.DialTLSContext = afterGreeting(transport.DialTLSContext)
		for range 50 {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, scheme+"://"+address, nil)
			require.NoError(t, err)
			resp, err := transport.RoundTrip(req)
			if !assert.Error(t, err) {
				_ = resp.Body.Close()
			}
		}
	}
	assert.Empty(t, printed.String())
}

func TestClientFirst(t *testing.T) {
	for name, begin := range map[string]func(net.Conn){
		"write": func(conn net.Conn) { _, _ = conn.Write([]byte("GET")) },
		"close": func(conn net.Conn) { _ = conn.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ours, theirs := net.Pipe()
				defer theirs.Close()
				conn, err := clientFirst(ours, nil)
				require.NoError(t, err)
				defer conn.Close()
				go func() { _, _ = io.WriteString(theirs, "220 mail.example ESMTP\r\n") }()
				read := false
				go func() {
					_, _ = conn.Read(make([]byte, 64))
					read = true
				}()
				synctest.Wait()
				assert.False(t, read, "before the client has begun")
				go begin(conn)
				synctest.Wait()
				assert.True(t, read)
			})
		})
	}
}
