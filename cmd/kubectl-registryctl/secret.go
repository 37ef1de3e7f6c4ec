package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/internal/cli"
)

const (
	secrets = "secrets" // the resource
	// maxBytes is the size that the server allows for all values of a Secret together.
	maxBytes = 1 << 20
)

// A secret is the htpasswd text in one key of a Secret. Everything else in the Secret
// stays as it is.
type secret struct {
	program *cli.Program
	options cli.OpenOptions
	client  client

	namespace, name string
	forPulls        bool      // it holds logins for image pulls, and no users
	key             string    // empty if it is to be guessed
	force           bool      // edit a text in which there are no users
	creation        *creation // nil if a missing Secret or key is an error
	fieldManager    string
	patience        time.Duration // how long an edit is tried again

	read  *reading // the object for the edit that follows; nil if there is none
	known bool     // the server has accepted our credentials
	away  bool     // the server has failed to answer, and may be starting
	told  bool     // the user was told what the edit waits for
}

// A creation holds the properties of a Secret that is created.
type creation struct {
	kind   string // its type; the server's default if empty
	labels labels
}

// A reading is the answer of the server: an object, or nil if there is none.
type reading struct{ object *unstructured.Unstructured }

// absent is the error of a text that does not exist.
type absent string

func (a absent) Error() string      { return string(a) }
func (absent) Is(target error) bool { return target == fs.ErrNotExist }

func (s *secret) String() string { return "secret " + s.namespace + "/" + s.name }

// Read returns the text. If a password will be asked for next, Read also fails if the
// edit would be refused.
func (s *secret) Read(ctx context.Context) (f *htpasswd.File, err error) {
	var object *unstructured.Unstructured
	err = s.retry(ctx, func(ctx context.Context) (err error) {
		object, err = s.get(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	s.read = &reading{object}
	key, text, err := s.text(object)
	if err != nil {
		return nil, err
	}
	if s.options.Prompt && s.options.DryRun == cli.DryRunNone {
		if err := s.mayWrite(ctx, object); err != nil {
			return nil, err
		}
	}
	if object == nil {
		return nil, absent(s.String() + " does not exist yet")
	}
	f, err = s.parse(text)
	if err != nil && !mayHoldUsers(key, text) { // check --fix would not help
		err = cli.Malformed("use --key to name another", "key %s of %s holds no htpasswd entries", key, s)
	}
	return f, err
}

func (s *secret) parse(text []byte) (*htpasswd.File, error) {
	f, err := htpasswd.Parse(text)
	if err != nil {
		err = fmt.Errorf("%s: %w", s, err)
	}
	return f, err
}

// Update makes the edit, and prints the manifest if there is to be one.
func (s *secret) Update(ctx context.Context, edit func(*htpasswd.File) error) (changed bool, err error) {
	before, after, err := s.edit(ctx, func(text []byte) ([]byte, error) {
		f, refused := s.parse(text)
		if err := edit(f); err != nil {
			if refused != nil && errors.Is(refused, err) {
				err = refused
			}
			return nil, err
		}
		return []byte(f.Text()), nil
	})
	if err != nil {
		return false, err
	}
	changed = before != after
	if changed && s.options.DryRun != cli.DryRunClient {
		s.warnOfManagers(before)
	}
	if s.options.Manifest != "" && after != nil {
		err = s.printManifest(after)
	}
	return changed, err
}

// get returns the object, or nil if it does not exist and will be created.
func (s *secret) get(ctx context.Context) (*unstructured.Unstructured, error) {
	object, err := s.client.get(ctx, s.namespace, s.name)
	s.known = s.known || err == nil || apierrors.IsNotFound(err)
	const right = "check the namespace, which -n names, and the Secret, which --secret names"
	switch {
	case err == nil:
		return object, nil
	case !apierrors.IsNotFound(err):
		return nil, err
	case !s.canCreate():
		return nil, cli.Fail(right, "%w", absent(s.String()+" not found"))
	case s.creation == nil:
		return nil, cli.Fail(right+"; --create creates it", "%s not found", s)
	}
	return nil, nil
}

// with returns a copy of the object with the text in the key.
func (s *secret) with(object *unstructured.Unstructured, key string, text []byte) (*unstructured.Unstructured, error) {
	if object == nil {
		object = &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Secret"}}
		object.SetName(s.name)
		object.SetNamespace(s.namespace)
		object.SetLabels(s.creation.labels)
		if s.creation.kind != "" {
			object.Object["type"] = s.creation.kind
		}
	} else {
		object = object.DeepCopy()
	}
	if err := unstructured.SetNestedField(object.Object, base64.StdEncoding.EncodeToString(text), "data", key); err != nil {
		return nil, fmt.Errorf("%s: %w", s, err)
	}
	size, hint := 0, ""
	for other, value := range data(object) {
		size += base64.StdEncoding.DecodedLen(len(value)) - strings.Count(value, "=")
		if other != key {
			hint = "the other keys count as well"
		}
	}
	if size > maxBytes {
		return nil, cli.Fail(hint, "%s would hold %d bytes, and no Secret holds more than %d", s, size, maxBytes)
	}
	return object, nil
}

// data returns the values by their keys, in base 64.
func data(object *unstructured.Unstructured) map[string]string {
	if object == nil {
		return nil
	}
	values, _, _ := unstructured.NestedStringMap(object.Object, "data") // no error: all values are strings
	return values
}

// decode returns the text in a key.
func (s *secret) decode(object *unstructured.Unstructured, key string) ([]byte, error) {
	text, err := base64.StdEncoding.DecodeString(data(object)[key])
	if err != nil {
		return nil, fmt.Errorf("%s: key %s: %w", s, key, err)
	}
	return text, nil
}

func isImmutable(object *unstructured.Unstructured) bool {
	if object == nil {
		return false
	}
	immutable, _, _ := unstructured.NestedBool(object.Object, "immutable")
	return immutable
}

// mayWrite fails where a write would be refused.
func (s *secret) mayWrite(ctx context.Context, object *unstructured.Unstructured) error {
	if isImmutable(object) {
		return s.immutable()
	}
	verb, name := "update", s.name
	if object == nil {
		verb, name = "create", "" // a Role cannot restrict create to a name
	}
	if !s.client.mayWrite(ctx, verb, s.namespace, name) {
		return s.forbidden(verb)
	}
	return nil
}

// canCreate reports whether the command can create a missing Secret or key, and creates
// whether it will.
func (s *secret) canCreate() bool { return s.options.Access == cli.ToCreate }
func (s *secret) creates() bool   { return s.canCreate() && s.creation != nil }
