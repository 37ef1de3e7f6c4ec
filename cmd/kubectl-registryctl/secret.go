package main

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/registryctl/registryctl/htpasswd"
	"github.com/registryctl/registryctl/internal/cli"
)

const (
	// fieldManager is by what name the server remembers who wrote the key.
	fieldManager = "kubectl-registryctl"
	// maxBytes is what the server lets all values of a Secret hold together.
	maxBytes = 1 << 20
	// defaultKey is that of a Secret that is made.
	defaultKey = "htpasswd"
)

// knownKeys are where the users are for the charts of Docker's registry and for
// OpenShift, for Traefik, and for ingress controllers.
var knownKeys = []string{defaultKey, "users", "auth"}

var (
	secrets = schema.GroupVersionResource{Version: "v1", Resource: "secrets"}
	reviews = schema.GroupVersionResource{Group: "authorization.k8s.io", Version: "v1", Resource: "selfsubjectaccessreviews"}
)

// A secret is the htpasswd text in one key of a Secret.
//
// The object is handled as the JSON that it comes as and put back as it was but
// for that key: in the Go struct of a Secret there is no place for a field that a
// newer server has and this program does not know.
type secret struct {
	client    dynamic.Interface
	namespace string
	name      string
	key       string // empty if it is to be guessed
	access    cli.Access
	creation  *creation // nil if what is not there is not to be made
	dryRun    bool      // on the server, which does everything but keep it

	patience time.Duration // how long an edit is tried again
	known    bool          // the server has said what there is: if it does not now, that may pass
}

// A creation is what a Secret that is made is given.
type creation struct {
	kind   string // its type; the server's default if empty
	labels map[string]string
}

// absent is the error of a text that is not there.
type absent string

func (a absent) Error() string      { return string(a) }
func (absent) Is(target error) bool { return target == fs.ErrNotExist }

func (s *secret) String() string { return "secret " + s.namespace + "/" + s.name }

// Read returns the text. For an edit it fails as well where that would be refused.
func (s *secret) Read(ctx context.Context) (*htpasswd.File, error) {
	object, err := s.get(ctx)
	if err == nil && (s.access == cli.ToEdit || s.access == cli.ToCreate) {
		err = s.mayWrite(ctx, object)
	}
	if err != nil {
		return nil, s.explain(ctx, err)
	}
	if object == nil {
		return nil, absent(s.String() + " is not there yet")
	}
	_, text, err := s.text(object)
	if err != nil {
		return nil, err
	}
	return s.parse(text)
}

func (s *secret) Update(ctx context.Context, edit func(*htpasswd.File) error) (changed bool, err error) {
	return s.edit(ctx, func(text []byte) ([]byte, error) {
		f, refused := s.parse(text)
		if err := edit(f); err != nil {
			if refused != nil && errors.Is(refused, err) {
				err = refused
			}
			return nil, err
		}
		return f.Bytes(), nil
	})
}

func (s *secret) parse(text []byte) (*htpasswd.File, error) {
	f, err := htpasswd.Parse(text)
	if err != nil {
		err = fmt.Errorf("%s: %w", s, err)
	}
	return f, err
}

func (s *secret) objects() dynamic.ResourceInterface {
	return s.client.Resource(secrets).Namespace(s.namespace)
}

// get returns the object, and nil for one that is not there and is to be made.
func (s *secret) get(ctx context.Context) (*unstructured.Unstructured, error) {
	object, err := s.objects().Get(ctx, s.name, metav1.GetOptions{})
	s.known = s.known || err == nil || apierrors.IsNotFound(err)
	switch {
	case err == nil:
		return object, nil
	case !apierrors.IsNotFound(err):
		return nil, failed(err)
	case !s.mayCreate():
		return nil, cli.Fail("is it the right one? -n names the namespace, --secret the Secret", "%w", absent(s.String()+" not found"))
	case s.creation == nil:
		return nil, cli.Fail("--create makes it", "%s not found", s)
	}
	return nil, nil
}

// put sends the object, with the resourceVersion that it was read with, so that
// the server refuses it if anybody has changed it since. An object without one is
// created.
func (s *secret) put(ctx context.Context, object *unstructured.Unstructured) (err error) {
	var dryRun []string
	if s.dryRun {
		dryRun = []string{metav1.DryRunAll}
	}
	if object.GetResourceVersion() == "" {
		_, err = s.objects().Create(ctx, object, metav1.CreateOptions{FieldManager: fieldManager, DryRun: dryRun})
	} else {
		_, err = s.objects().Update(ctx, object, metav1.UpdateOptions{FieldManager: fieldManager, DryRun: dryRun})
	}
	return failed(err)
}

// with returns the object with the text in the key.
func (s *secret) with(object *unstructured.Unstructured, key string, text []byte) (*unstructured.Unstructured, error) {
	if object == nil {
		object = &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Secret"}}
		object.SetName(s.name)
		object.SetNamespace(s.namespace)
		object.SetLabels(s.creation.labels)
		if s.creation.kind != "" {
			object.Object["type"] = s.creation.kind
		}
	}
	if err := unstructured.SetNestedField(object.Object, base64.StdEncoding.EncodeToString(text), "data", key); err != nil {
		return nil, err
	}
	size, hint := 0, ""
	for other, value := range data(object) {
		size += base64.StdEncoding.DecodedLen(len(value)) - strings.Count(value, "=")
		if other != key {
			hint = "what the other keys hold counts as well"
		}
	}
	if size > maxBytes {
		return nil, cli.Fail(hint, "%s would hold %d bytes, and no Secret holds more than %d", s, size, maxBytes)
	}
	return object, nil
}

// data returns the values by their keys, in base 64.
func data(object *unstructured.Unstructured) map[string]string {
	values, _, _ := unstructured.NestedStringMap(object.Object, "data") // the server has no others
	return values
}

// text returns the text and its key; a key that is to be made has none.
func (s *secret) text(object *unstructured.Unstructured) (key string, text []byte, err error) {
	if object == nil {
		return cmp.Or(s.key, defaultKey), nil, nil
	}
	values := data(object)
	if key, err = s.find(object, values); err != nil {
		return "", nil, err
	}
	text, err = base64.StdEncoding.DecodeString(values[key])
	return key, text, err
}

// find returns the key that the text is in, or is to be put in.
func (s *secret) find(object *unstructured.Unstructured, values map[string]string) (string, error) {
	var known []string
	for _, key := range knownKeys {
		if _, ok := values[key]; ok {
			known = append(known, key)
		}
	}
	all := slices.Sorted(maps.Keys(values))
	kind, _, _ := unstructured.NestedString(object.Object, "type")
	key := s.key
	switch {
	case key != "":
	case len(known) == 1:
		return known[0], nil
	case len(all) == 1 && !s.creates() && !hasOwnKeys(kind): // else the key may be what is to be made
		return all[0], nil
	case len(all) > 0:
		return "", cli.Misuse("--key names the one", "which key of %s holds the users? it has %s", s, strings.Join(all, ", "))
	default:
		key = defaultKey
	}
	if _, ok := values[key]; ok || s.creates() {
		return key, nil
	}
	missing := absent(fmt.Sprintf("%s has no key %s; it has %s", s, key, cmp.Or(strings.Join(all, ", "), "none")))
	if s.mayCreate() {
		return "", cli.Fail("--create adds it", "%v", missing)
	}
	return "", cli.Fail("--key names another", "%w", missing)
}

// hasOwnKeys reports whether Kubernetes or Helm say what the keys of a Secret of this
// type mean.
func hasOwnKeys(kind string) bool {
	return strings.Contains(kind, "kubernetes.io/") || strings.HasPrefix(kind, "helm.sh/")
}

// mayCreate reports whether the command is one that can make what is not there,
// creates whether it is to.
func (s *secret) mayCreate() bool { return s.access == cli.ToCreate }
func (s *secret) creates() bool   { return s.mayCreate() && s.creation != nil }
