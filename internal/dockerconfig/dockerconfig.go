// Package dockerconfig edits the text in which docker, and most other clients of a
// registry, keep their logins: config.json, or a pull secret of Kubernetes.
package dockerconfig

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/registryctl/registryctl/internal/registry"
)

// ErrMalformed is returned for a text that is not a configuration of docker.
var ErrMalformed = errors.New("not a configuration of docker")

// A HelperError is returned if a credential helper keeps the logins for a registry, so
// that a login in the text would not be used.
type HelperError struct{ Program string }

func (e *HelperError) Error() string {
	return "logins at this registry are kept by " + e.Program
}

// Set returns the text with the login of a user for a registry, which replaces any other
// login for it. An empty text is a configuration without logins. All other values stay
// as they are. The error is [ErrMalformed] or a [*HelperError].
func Set(text []byte, at registry.Address, user string, password []byte) ([]byte, error) {
	var known struct {
		CredsStore  string
		CredHelpers map[string]string
	}
	var config, logins map[string]json.RawMessage
	if len(bytes.TrimSpace(text)) > 0 {
		if json.Unmarshal(text, &known) != nil || json.Unmarshal(text, &config) != nil {
			return nil, ErrMalformed
		}
	}
	if auths, ok := config["auths"]; ok && json.Unmarshal(auths, &logins) != nil {
		return nil, ErrMalformed
	}
	host := at.Host()
	helper, ok := known.CredHelpers[host]
	if !ok {
		helper = known.CredsStore
	}
	if helper != "" {
		return nil, &HelperError{fmt.Sprintf("docker-credential-%s", helper)}
	}
	if config == nil {
		config = make(map[string]json.RawMessage)
	}
	if logins == nil {
		logins = make(map[string]json.RawMessage)
	}
	login := base64.StdEncoding.EncodeToString(append([]byte(user+":"), password...))
	logins[host] = json.RawMessage(`{"auth": "` + login + `"}`)
	auths, err := encode(logins)
	if err != nil {
		return nil, err
	}
	config["auths"] = auths
	return encode(config)
}

// encode indents as docker does.
func encode(values map[string]json.RawMessage) ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "\t")
	err := e.Encode(values)
	return out.Bytes(), err
}
