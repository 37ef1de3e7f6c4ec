package cli

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/registryctl/registryctl/htpasswd/basicauth"
	"github.com/registryctl/registryctl/internal/tokens"
)

// serveOptions are the flags of "serve".
type serveOptions struct {
	users           Text
	rights          rightsFile
	access          pathFlag
	listen          string
	realm           string
	tlsCert, tlsKey pathFlag
	plainHTTP       bool
	service, issuer string
	ttl             Duration
	key             pathFlag
	metrics         bool
	log, format     formatFlag
}

func newServe(p *Program) *cobra.Command {
	o := serveOptions{
		ttl:    Duration(5 * time.Minute),
		log:    formatFlag{value: "text", allowed: []string{"text", "json"}},
		format: formatFlag{value: "env", allowed: []string{"env", "yaml", "compose"}},
	}
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run a token server for a registry",
		Long: `Run a token server for a registry, so that the access file decides who may do
what. This is the registry's standard token authentication. The server prints
the settings that the registry needs, and runs until it is stopped.

The registry sends its clients to the URL of --realm, so each of them must reach
this server by that name. It must not be an IP address, which some clients
refuse. Clients send passwords there: without --tls-cert the server listens only
on this machine, unless --plain-http confirms that something else protects the
connection, such as a proxy with TLS.

The first start creates the private key of a certificate authority, with mode
0600, and beside it the certificate, token.crt. Give the registry only the
certificate: anyone who has the key can create any token. Any number of servers
can share the key.

Edits of the users' file and the access file take effect within a second. A
token that was issued before stays valid until it expires. The server does not
start with a malformed file, or without one that --access names. If a file
becomes malformed later, the server keeps the last good text and logs an error.`,
		Example: `  registryctl serve
  registryctl serve --listen :5001 --tls-cert server.crt --tls-key server.key
  registryctl serve -o compose`,
		Annotations:       exits("7  the users' file or the access file is malformed"),
		Args:              noOperands,
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	flags := cmd.Flags()
	registerAccess(cmd, &o.access)
	flags.StringVar(&o.listen, "listen", "127.0.0.1:5001", "`ADDRESS` to listen on")
	flags.StringVar(&o.realm, "realm", "", "`URL` at which clients get tokens (default: http://localhost:PORT/token, or https)")
	flags.Var(&o.tlsCert, "tls-cert", "certificate `FILE` for TLS")
	flags.Var(&o.tlsKey, "tls-key", "private key `FILE` for TLS")
	flags.BoolVar(&o.plainHTTP, "plain-http", false, "serve other machines without TLS")
	flags.StringVar(&o.service, "service", "registry", "`NAME` of the registry in the tokens")
	flags.StringVar(&o.issuer, "issuer", program, "`NAME` of this server in the tokens")
	flags.Var(&o.ttl, "token-ttl", "`TIME` for which a token is valid, at least 1m")
	flags.Var(&o.key, "key", "private key `FILE` (default: token.key beside the users' file)")
	flags.BoolVar(&o.metrics, "metrics", false, "serve /metrics for Prometheus")
	o.log.register(cmd, "log", "", "`FORMAT` of the log: ")
	o.format.register(cmd, "output", "o", "`FORMAT` of the registry's settings: ")
	cmd.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		if o.users, err = p.open(OpenOptions{Access: ToRead, DryRun: DryRunNone}); err != nil {
			return err
		}
		if o.users.File == "" {
			return Misuse("", "serve needs a file, not standard input")
		}
		if o.rights, err = openRights(o.access, o.users); err != nil {
			return err
		}
		if err := o.check(); err != nil {
			return err
		}
		return serve(cmd.Context(), p, o)
	}
	return cmd
}

func (o serveOptions) check() error {
	host, _, err := net.SplitHostPort(o.listen)
	addr, _ := netip.ParseAddr(host)
	switch {
	case err != nil:
		return Misuse("", "--listen must be HOST:PORT or :PORT")
	case (o.tlsCert == "") != (o.tlsKey == ""):
		return Misuse("", "--tls-cert and --tls-key must be used together")
	case o.tlsCert == "" && !o.plainHTTP && host != "localhost" && !addr.IsLoopback():
		return Misuse("use --tls-cert and --tls-key, or --plain-http behind a proxy with TLS", "without TLS the server listens only on this machine")
	case time.Duration(o.ttl) < tokens.MinTTL:
		return Misuse("", "--token-ttl must be at least 1m")
	case o.service == "" || o.issuer == "":
		return Misuse("", "--service and --issuer must not be empty")
	}
	if o.realm == "" {
		return nil
	}
	u, err := url.Parse(o.realm)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		return Misuse("", "--realm must be a URL such as https://auth.example.com:5001/token")
	}
	if _, err := netip.ParseAddr(u.Hostname()); err == nil {
		return Misuse("use a host name, or localhost", "some clients refuse a realm with an IP address")
	}
	return nil
}

func serve(ctx context.Context, p *Program, o serveOptions) error {
	log := o.logger(p)
	users := &basicauth.Authenticator{
		Path:     o.users.File,
		CacheTTL: time.Duration(o.ttl),
		OnReload: func(r basicauth.LoadResult) {
			if r.Err != nil {
				log.Error("the users' file cannot be used; the last good text stays in use", "error", r.Err)
				return
			}
			log.Info("users", "file", o.users.File, "users", r.Users, "refused", len(r.Refused))
		},
	}
	if _, err := o.users.Read(ctx); err != nil {
		return fmt.Errorf("cannot read the users: %w", err)
	}
	if err := users.Reload(ctx); err != nil {
		return fmt.Errorf("cannot read the users: %w", err)
	}
	if _, err := o.rights.readIfAny(); err != nil {
		return fmt.Errorf("cannot read the rights: %w", err)
	}
	rights, err := tokens.OpenRights(o.rights.Path, func(err error) {
		if err != nil {
			log.Error("the access file cannot be used; the last good text stays in use", "error", err)
			return
		}
		log.Info("rights", "file", o.rights.Path)
	})
	if err != nil {
		return fmt.Errorf("cannot read the rights: %w", err)
	}
	if !rights.Found() {
		log.Warn("there is no access file: everyone who has logged in may do everything", "file", o.rights.Path)
	}
	keyFile := cmp.Or(string(o.key), filepath.Join(filepath.Dir(o.users.File), "token.key"))
	ca, err := tokens.OpenCA(ctx, keyFile)
	if err != nil {
		return fmt.Errorf("cannot open the token key: %w", o.rights.explain(err))
	}
	if info, err := os.Stat(keyFile); err == nil && os.PathSeparator == '/' {
		if info.Mode().Perm()&0o007 != 0 {
			log.Warn("everyone on this machine can read the key, and make any token", "file", keyFile)
		}
		if !isOwn(info) && !isOfRoot(info) {
			log.Warn("the key belongs to another user, who can make any token", "file", keyFile, "owner", ownerOf(keyFile))
		}
	}
	l, err := net.Listen("tcp", o.listen)
	if err != nil {
		return Fail("use --listen to choose another address", "cannot listen: %w", err)
	}
	defer func() { _ = l.Close() }()
	scheme := "http"
	if o.tlsCert != "" {
		certificate, err := tls.LoadX509KeyPair(string(o.tlsCert), string(o.tlsKey))
		if err != nil {
			return fmt.Errorf("cannot serve TLS: %w", err)
		}
		scheme, l = "https", tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{certificate}})
	}
	realm := cmp.Or(o.realm, fmt.Sprintf("%s://localhost:%d/token", scheme, l.Addr().(*net.TCPAddr).Port))
	if err := p.Print([]byte(o.settings(realm, tokens.CertFile(keyFile)))); err != nil {
		return err
	}
	log.Info("serving", "address", l.Addr().String(), "realm", realm)
	s := &tokens.Server{
		Verify:  users.Verify,
		Rights:  rights,
		CA:      ca,
		Service: o.service,
		Issuer:  o.issuer,
		TTL:     time.Duration(o.ttl),
		Log:     log,
		Metrics: o.metrics,
	}
	if err := s.Serve(ctx, l); err != nil {
		return fmt.Errorf("cannot serve: %w", err)
	}
	log.Info("stopped")
	return nil
}

func (o serveOptions) logger(p *Program) *slog.Logger {
	options := &slog.HandlerOptions{}
	if p.quiet {
		options.Level = slog.LevelError
	}
	if o.log.value == "json" {
		return slog.New(slog.NewJSONHandler(p.Stderr, options))
	}
	return slog.New(slog.NewTextHandler(p.Stderr, options))
}

// settings returns the settings of the registry.
func (o serveOptions) settings(realm, certFile string) string {
	if abs, err := filepath.Abs(certFile); err == nil {
		certFile = abs
	}
	format := map[string]string{
		"yaml": "auth:\n  token:\n    realm: %q\n    service: %q\n    issuer: %q\n    rootcertbundle: %q\n",
		"compose": "REGISTRY_AUTH: token\nREGISTRY_AUTH_TOKEN_REALM: %q\nREGISTRY_AUTH_TOKEN_SERVICE: %q\n" +
			"REGISTRY_AUTH_TOKEN_ISSUER: %q\nREGISTRY_AUTH_TOKEN_ROOTCERTBUNDLE: %q\n",
		"env": "REGISTRY_AUTH=token\nREGISTRY_AUTH_TOKEN_REALM=%s\nREGISTRY_AUTH_TOKEN_SERVICE=%s\n" +
			"REGISTRY_AUTH_TOKEN_ISSUER=%s\nREGISTRY_AUTH_TOKEN_ROOTCERTBUNDLE=%s\n",
	}[o.format.value]
	return fmt.Sprintf(format, realm, o.service, o.issuer, certFile)
}
