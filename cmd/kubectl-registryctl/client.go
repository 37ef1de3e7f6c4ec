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
// Objects are handled as the JSON that they come as: in the Go struct of a Secret
// there is no place for a field that a newer server has and this program does not
// know. The typed clients of client-go would add 20 MB to the program, too.
type client struct {
	api  rest.Interface
	once bool // client-go does not try again by itself
}

func newClient(config *rest.Config) (client, error) {
	version := schema.GroupVersion{Version: "v1"}
	scheme := runtime.NewScheme()
	metav1.AddToGroupVersion(scheme, version) // for the errors of the server
	config.APIPath, config.GroupVersion = "/api", &version
	config.ContentType, config.AcceptContentTypes = jsonType, jsonType
	config.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	api, err := rest.RESTClientFor(config)
	return client{api: api}, err
}

// get returns a Secret.
func (c client) get(ctx context.Context, namespace, name string) (*unstructured.Unstructured, error) {
	return c.do(ctx, c.api.Get().Namespace(namespace).Resource(secrets).Name(name))
}

// put sends a Secret: it creates one that has no resourceVersion. The server
// refuses one that was changed since it was read. It returns what the server made
// of it.
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
	dryRun       bool // the server does everything but keep it
}

// mayWrite reports whether the user may use the verb on a Secret. A server that
// does not say so allows it: the write will show.
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

// isStarting reports whether the server is not ready, or has not loaded the Roles yet:
// everybody may ask whether it is.
func (c client) isStarting(ctx context.Context) bool {
	code := codeOf(c.api.Get().AbsPath(readiness).MaxRetries(0).Do(ctx).Error())
	return code == http.StatusForbidden || code >= http.StatusInternalServerError
}

// names returns the names of objects, and lets nothing else of them be sent.
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
