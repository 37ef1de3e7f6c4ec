package main

import (
	"cmp"
	"fmt"
	"mime"
	"net/http"
	"runtime"
	"strings"

	_ "k8s.io/client-go/plugin/pkg/client/auth" // every way that kubectl knows to log in
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/registryctl/registryctl/internal/cli"
)

// connect returns a client of the cluster that the flags name, and the namespace.
func (f *flags) connect() (c client, namespace string, err error) {
	loader := f.loader()
	var config *rest.Config
	if namespace, _, err = loader.Namespace(); err == nil {
		config, err = loader.ClientConfig()
	}
	switch {
	case err != nil && f.kubeconfig == "" && clientcmd.IsEmptyConfig(err):
		return c, "", cli.Fail("use --kubeconfig or $KUBECONFIG to name one", "no kubeconfig found at %s", strings.Join(f.rules().GetLoadingPrecedence(), ", "))
	case err != nil:
		// Not wrapped: a missing kubeconfig must not be taken for a missing Secret.
		return c, "", cli.Fail("kubectl config view shows what kubectl uses", "cannot use the kubeconfig: %v", err)
	}
	config.QPS = -1 // no limit here: the server limits its clients
	config.UserAgent = fmt.Sprintf("kubectl-registryctl/%s (%s/%s)", cli.Release(), runtime.GOOS, runtime.GOARCH)
	config.WarningHandler = &serverWarnings{program: f.program}
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return apiOnly{next} })
	c, err = newClient(config)
	return c, namespace, err
}

func (f *flags) rules() *clientcmd.ClientConfigLoadingRules {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = f.kubeconfig
	return rules
}

// loader returns what loads the kubeconfig that the flags name.
func (f *flags) loader() clientcmd.ClientConfig {
	extras := make(map[string][]string)
	for _, extra := range f.asExtra {
		key, value, _ := strings.Cut(extra, "=")
		extras[key] = append(extras[key], value)
	}
	f.overrides.AuthInfo.ImpersonateUserExtra = extras
	return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(f.rules(), &f.overrides)
}

// serverWarnings prints each warning of the server once.
type serverWarnings struct {
	program *cli.Program
	printed map[string]bool
}

// HandleWarningHeader is for package rest.
func (w *serverWarnings) HandleWarningHeader(code int, _, message string) {
	const warning = 299
	if code != warning || message == "" || w.printed[message] {
		return
	}
	if w.printed == nil {
		w.printed = make(map[string]bool)
	}
	w.printed[message] = true
	w.program.Warn("%s", message)
}

// apiOnly refuses an answer that does not come from a Kubernetes API server, such as the
// login page of a proxy. Server errors pass, as they may come from a load balancer.
type apiOnly struct{ http.RoundTripper }

// RoundTrip is for package http. It closes the connection of a write, because net/http
// would print what follows the answer on it, which may repeat the Secret.
func (t apiOnly) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodGet {
		r = r.Clone(r.Context())
		r.Close = true
	}
	resp, err := t.RoundTripper.RoundTrip(r)
	if err != nil || resp.StatusCode >= http.StatusInternalServerError {
		return resp, err
	}
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	isResult := resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusNotFound
	if kind == "text/html" || isResult && kind != "application/json" {
		_ = resp.Body.Close()
		return nil, notAPIServer(cmp.Or(kind, "no content type"))
	}
	return resp, nil
}

// notAPIServer is the error for an answer with this content type.
type notAPIServer string

func (e notAPIServer) Error() string { return "it answers with " + string(e) }
