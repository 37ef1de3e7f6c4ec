package main

import (
	"context"
	"net/http"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"
)

const (
	jsonType     = "application/json"
	accessReview = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
	readiness    = "/readyz"
)

// A client makes the requests.
//
// Objects are handled as JSON, because the Go struct of a Secret would lose the fields
// that only a newer server knows. The typed clients of client-go would also add 20 MB to
// the program.
type client struct {
	api  rest.Interface
	host string // of the API server, for messages
	once bool   // client-go does not try again by itself
}

func newClient(config *rest.Config) (client, error) {
	version := schema.GroupVersion{Version: "v1"}
	scheme := runtime.NewScheme()
	metav1.AddToGroupVersion(scheme, version) // for the errors of the server
	config.APIPath, config.GroupVersion = "/api", &version
	config.ContentType, config.AcceptContentTypes = jsonType, jsonType
	config.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	api, err := rest.RESTClientFor(config)
	return client{api: api, host: config.Host}, err
}

// get returns a Secret.
func (c client) get(ctx context.Context, namespace, name string) (*unstructured.Unstructured, error) {
	return c.do(ctx, c.api.Get().Namespace(namespace).Resource(secrets).Name(name))
}

// put writes a Secret, or creates it if it has no resourceVersion, and returns it as the
// server has stored it. The server refuses a Secret that was changed since it was read.
func (c client) put(ctx context.Context, object *unstructured.Unstructured, options writeOptions) (*unstructured.Unstructured, error) {
	request := c.api.Put().Name(object.GetName())
	if object.GetResourceVersion() == "" {
		request = c.api.Post()
	}
	body, err := object.MarshalJSON()
	if err != nil {
		return nil, err
	}
	request.Namespace(object.GetNamespace()).Resource(secrets).Param("fieldManager", options.fieldManager)
	if options.dryRun {
		request.Param("dryRun", metav1.DryRunAll)
	}
	return c.do(ctx, request.SetHeader("Content-Type", jsonType).Body(body))
}

// writeOptions say how a Secret is written.
type writeOptions struct {
	fieldManager string
	dryRun       bool // the server does everything but store it
}

// mayWrite reports whether the user may use the verb on a Secret. It returns true if the
// server does not tell, as the write itself will show it.
func (c client) mayWrite(ctx context.Context, verb, namespace, name string) bool {
	review := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
		"spec": map[string]any{"resourceAttributes": map[string]any{
			"verb": verb, "resource": secrets, "namespace": namespace, "name": name,
		}},
	}}
	body, err := review.MarshalJSON()
	if err != nil {
		return true
	}
	answer, err := c.do(ctx, c.api.Post().AbsPath(accessReview).SetHeader("Content-Type", jsonType).Body(body))
	if err != nil {
		return true
	}
	allowed, found, _ := unstructured.NestedBool(answer.Object, "status", "allowed")
	return allowed || !found
}

// isStarting reports whether the server is not ready, or has not loaded the Roles yet.
// When it has, everyone may ask whether it is ready.
func (c client) isStarting(ctx context.Context) bool {
	code := codeOf(c.api.Get().AbsPath(readiness).MaxRetries(0).Do(ctx).Error())
	return code == http.StatusForbidden || code >= http.StatusInternalServerError
}

// names returns the names of objects. The server sends nothing else of them but their
// metadata.
func (c client) names(ctx context.Context, namespace, resource, fieldSelector string) ([]string, error) {
	request := c.api.Get().Namespace(namespace).Resource(resource).
		SetHeader("Accept", jsonType+";as=PartialObjectMetadataList;g=meta.k8s.io;v=v1")
	if fieldSelector != "" {
		request.Param("fieldSelector", fieldSelector)
	}
	list, err := c.do(ctx, request)
	if err != nil {
		return nil, err
	}
	var names []string
	err = list.EachListItem(func(item runtime.Object) error {
		names = append(names, item.(*unstructured.Unstructured).GetName())
		return nil
	})
	return names, err
}

func (c client) do(ctx context.Context, request *rest.Request) (*unstructured.Unstructured, error) {
	if c.once {
		request.MaxRetries(0)
	}
	result := request.Do(ctx)
	if err := result.Error(); err != nil {
		return nil, requestError{err}
	}
	body, err := result.Raw()
	if err != nil {
		return nil, requestError{err}
	}
	object := new(unstructured.Unstructured)
	if object.UnmarshalJSON(body) != nil { // whose error repeats the answer
		return nil, errMalformedAnswer
	}
	return object, nil
}
