package registry

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// realm returns the URL of the token server, or nil if it is none that can be
// asked.
func (c challenge) realm() *url.URL {
	u, err := url.Parse(c.parameters["realm"])
	if err != nil || origin(u) == "" {
		return nil
	}
	return u
}

// check returns an outcome instead of r where the challenge cannot be met: it
// names no token server, or one that the password would reach in plain text
// although the registry has TLS.
func (c challenge) check(r Result) Result {
	if c.scheme != "bearer" {
		return r
	}
	realm := c.realm()
	switch {
	case realm == nil:
		r.Outcome = Token
	case realm.Scheme == "http" && !strings.HasPrefix(r.URL, "http:"):
		r.Outcome, r.Server = PlainHTTP, origin(realm)
	}
	return r
}

// loginByToken gets a token from the token server that the registry names, and
// shows it to the registry.
func (c Client) loginByToken(ctx context.Context, base string, offered challenge, as credentials, p Permission) Result {
	token, r := c.token(ctx, base, offered, as, "")
	if r.Outcome != granted {
		return r
	}
	r, _ = c.ask(ctx, base, "/v2/", "Bearer "+token, map[int]Outcome{
		http.StatusOK:           Accepted,
		http.StatusUnauthorized: TokenRefused,
		http.StatusForbidden:    TokenRefused,
	})
	if r.Outcome == Accepted && p != (Permission{}) {
		return c.permission(ctx, base, offered, as, p)
	}
	return r
}

// permission asks the token server for a permission, goes by what the token
// says, and asks the registry too where that changes nothing there.
func (c Client) permission(ctx context.Context, base string, offered challenge, as credentials, p Permission) Result {
	token, r := c.token(ctx, base, offered, as, p.scope())
	switch r.Outcome {
	case granted:
	case Refused: // the password was right a moment ago, so this is about the scope
		r.Outcome = Denied
		return r
	default:
		return r
	}
	actions, known := grantedActions(token, p.Repository)
	switch {
	case known && !covers(actions, p.actions()):
		r.Outcome, r.Granted = Denied, knownActions(actions)
		return r
	case !known && p.Action != "pull": // only a push or a deletion would show it
		r.Outcome = Undecided
	default:
		r.Outcome = Accepted
	}
	if p.needsPull() {
		if asked := c.pull(ctx, base, "Bearer "+token, p.Repository); asked.Outcome != Accepted {
			return asked
		}
	}
	return r
}

// token asks the token server for a token with a scope, or with none. The
// outcome is granted if there is a token.
func (c Client) token(ctx context.Context, base string, offered challenge, as credentials, scope string) (string, Result) {
	realm := offered.realm()
	query := realm.Query()
	query.Set("account", as.user)
	query.Set("client_id", "registryctl")
	if service := offered.parameters["service"]; service != "" {
		query.Set("service", service)
	}
	if scope != "" {
		query.Set("scope", scope)
	}
	r := Result{URL: base, Server: origin(realm)}
	realm.RawQuery = query.Encode()
	a, err := c.get(ctx, realm.String(), as.basic(), maxTokenBytes)
	r = r.judge(a, err, map[int]Outcome{
		http.StatusOK:           granted,
		http.StatusUnauthorized: Refused,
		http.StatusForbidden:    Refused, // GitLab
	})
	if r.Outcome != granted {
		return "", r
	}
	var body struct {
		Token       string `json:"token"`
		AccessToken string `json:"access_token"` // the same, by the name of OAuth 2
	}
	_ = json.Unmarshal(a.body, &body) // without a token if it is no JSON
	token := cmp.Or(body.Token, body.AccessToken)
	if token == "" {
		r.Outcome = Unexpected
	}
	return token, r
}

// grantedActions returns the actions that a token grants for a repository, by
// its access claim (distribution specification, "Token authentication"), and
// reports whether it has that claim: tokens need not be JSON Web Tokens. The
// signature is not verified. That is the registry's part, and here the claim is
// only shown.
func grantedActions(token, repository string) (actions []string, ok bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, false
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil, false
	}
	var claims map[string]json.RawMessage
	var access []struct {
		Type    string   `json:"type"`
		Name    string   `json:"name"`
		Actions []string `json:"actions"`
	}
	if json.Unmarshal(text, &claims) != nil || json.Unmarshal(claims["access"], &access) != nil {
		return nil, false
	}
	for _, a := range access {
		if a.Type == "repository" && a.Name == repository {
			actions = append(actions, a.Actions...)
		}
	}
	return actions, true
}

// knownActions returns those of the actions that have a meaning here, never nil.
func knownActions(actions []string) []string {
	known := []string{}
	for _, action := range []string{"pull", "push", "delete"} {
		if slices.Contains(actions, action) {
			known = append(known, action)
		}
	}
	return known
}

// covers reports whether the granted actions include all of the wanted ones.
func covers(granted, wanted []string) bool {
	if slices.Contains(granted, "*") {
		return true
	}
	return !slices.ContainsFunc(wanted, func(action string) bool { return !slices.Contains(granted, action) })
}
