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

	"github.com/registryctl/registryctl/internal/access"
)

// realm returns the URL of the token server, or nil if there is none or it cannot be
// asked.
func (c challenge) realm() *url.URL {
	u, err := url.Parse(c.parameters["realm"])
	if err != nil || origin(u) == "" {
		return nil
	}
	return u
}

// check returns r with another outcome if the challenge cannot be met: it names no token
// server, or one without TLS although the registry has TLS.
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

// loginByToken gets a token from the token server that the registry names, and sends
// it to the registry.
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

// permission asks the token server for a permission and reads what the token grants.
// It also asks the registry if it can do so without changing anything there.
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
	found, known := grantedActions(token, p.Repository)
	switch {
	case known && !covers(found, p.actions()):
		r.Outcome = Denied
		r.Granted = slices.DeleteFunc(slices.Clone(knownActions), func(action string) bool { return !slices.Contains(found, action) })
		return r
	case !known && p.Action != access.Pull: // only a push or a deletion would show it
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

// token asks the token server for a token, with a scope unless that is empty. The
// outcome is granted if it gets one.
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

// grantedActions returns the actions that the access claim of a token grants for a
// repository (distribution specification, "Token authentication"). ok is false if the
// token has no such claim; it need not be a JSON Web Token. The signature is not
// verified, as only the registry trusts the claim.
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
	var grants []struct {
		Type    string   `json:"type"`
		Name    string   `json:"name"`
		Actions []string `json:"actions"`
	}
	if json.Unmarshal(text, &claims) != nil || json.Unmarshal(claims["access"], &grants) != nil {
		return nil, false
	}
	for _, a := range grants {
		if a.Type == "repository" && a.Name == repository {
			actions = append(actions, a.Actions...)
		}
	}
	return actions, true
}

// covers reports whether the granted actions include all of the wanted ones.
func covers(granted, wanted []string) bool {
	return slices.Contains(granted, "*") ||
		!slices.ContainsFunc(wanted, func(action string) bool { return !slices.Contains(granted, action) })
}
