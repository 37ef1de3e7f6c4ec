package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/internal/charset"
	"github.com/registryctl/registryctl/internal/cli"
)

// defaultKey is that of a Secret that is created.
const defaultKey = "htpasswd"

// knownKeys are where the users are for the charts of Docker's registry and for
// OpenShift, for Traefik, and for ingress controllers.
var knownKeys = []string{defaultKey, "users", "auth"}

// ownKeys are the types of Secrets whose keys have a meaning of their own.
var ownKeys = regexp.MustCompile(`^(kubernetes\.io/(tls|dockerconfigjson|dockercfg|ssh-auth|basic-auth|service-account-token)|bootstrap\.kubernetes\.io/token|helm\.sh/.*)$`)

// text returns the text and its key. A key that is to be created has none.
func (s *secret) text(object *unstructured.Unstructured) (key string, text []byte, err error) {
	if s.forPulls {
		return s.pullText(object)
	}
	if object == nil {
		return cmp.Or(s.key, defaultKey), nil, nil
	}
	if key, err = s.find(object); err != nil {
		return "", nil, err
	}
	if text, err = s.decode(object, key); err != nil {
		return "", nil, err
	}
	if s.options.Access != cli.ToRead && !s.force && !mayHoldUsers(key, text) {
		return "", nil, cli.Malformed("use --force if it is to hold users from now on", "key %s of %s holds no htpasswd entries", key, s)
	}
	return key, text, nil
}

// find returns the key that the text is in, or is to be put in. Without --key it
// is one that can hold nothing but users.
func (s *secret) find(object *unstructured.Unstructured) (string, error) {
	kind, _, _ := unstructured.NestedString(object.Object, "type")
	if ownKeys.MatchString(kind) {
		return "", cli.Malformed("users need a Secret of their own, such as one of the type Opaque", "%s has the type %s, whose keys hold no users", s, kind)
	}
	all := slices.Sorted(maps.Keys(data(object)))
	list := cmp.Or(strings.Join(all, ", "), "none")
	key := s.key
	if key == "" {
		candidates := slices.DeleteFunc(slices.Clone(all), func(key string) bool { return !slices.Contains(knownKeys, key) })
		if len(candidates) == 0 && !s.creates() { // else the key may be what is to be created
			candidates = all
		}
		switch {
		case len(candidates) == 1:
			return candidates[0], s.mayBeGuessed(object, candidates[0])
		case len(all) > 0:
			return "", cli.Misuse("use --key to name it", "cannot tell which key of %s holds the users; it has %s", s, list)
		}
		key = defaultKey
	}
	if slices.Contains(all, key) || s.creates() {
		return key, nil
	}
	missing := absent(fmt.Sprintf("%s has no key %s; it has %s", s, key, list))
	if s.canCreate() {
		return "", cli.Fail("use --key to name another, or --create to add it", "%v", missing)
	}
	return "", cli.Fail("use --key to name another", "%w", missing)
}

func (s *secret) mayBeGuessed(object *unstructured.Unstructured, key string) error {
	text, err := s.decode(object, key)
	if err == nil && !mayHoldUsers(key, text) {
		err = cli.Malformed("use --secret to name the Secret, and --key to name the key", "key %s of %s holds no htpasswd entries; name the key with --key", key, s)
	}
	return err
}

// mayHoldUsers reports whether the text of a key is one for users: it is empty,
// holds an entry with a hash that is known, or its key has the name for it. A text
// of another format is none in any case.
func mayHoldUsers(key string, text []byte) bool {
	if isOtherFormat(text) {
		return false
	}
	f, err := htpasswd.Parse(text)
	empty := true
	for entry := range f.All() {
		if _, disabled := entry.Hash.Disabled(); disabled || entry.Hash.Scheme() != "" {
			return true
		}
		empty = false
	}
	return slices.Contains(knownKeys, key) || empty && err == nil // nothing but comments
}

var (
	yamlLine = regexp.MustCompile(`(?m)^(---|[ \t]*(- )?[A-Za-z0-9_."'-]+:([ \t]+[^ \t\r\n].*|[ \t]*\r?))$`)
	urlStart = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9+.-]*:)+//`)
)

// isOtherFormat reports whether the text is PEM, JSON, a URL or YAML.
func isOtherFormat(text []byte) bool {
	text = bytes.TrimSpace(charset.TrimBOM(text))
	if block, _ := pem.Decode(text); block != nil || bytes.HasPrefix(text, []byte("-----BEGIN ")) {
		return true
	}
	isJSON := len(text) > 0 && (text[0] == '{' || text[0] == '[') && json.Valid(text)
	return isJSON || urlStart.Match(text) || isYAML(text)
}

// isYAML reports whether the text begins as YAML does: with a key and its value
// behind a space, or with a key alone. In an htpasswd file neither lets anybody in.
func isYAML(text []byte) bool {
	for line := range bytes.Lines(text) {
		line = bytes.TrimRight(line, "\r\n")
		if trimmed := bytes.TrimSpace(line); len(trimmed) == 0 || trimmed[0] == '#' {
			continue
		}
		return yamlLine.Match(line)
	}
	return false
}
