package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/registryctl/registryctl/internal/cli"
)

// A requestError is a request that failed: the server has refused it, or has not
// answered. No other error is one, such as that of a file with credentials.
type requestError struct{ err error }

func (e requestError) Error() string { return e.err.Error() }

func failed(err error) error {
	if err == nil {
		return nil
	}
	return requestError{err}
}

// codeOf returns the HTTP status that the server has answered with, and 0 if it
// has not.
func codeOf(err error) int32 {
	var request requestError
	if errors.As(err, &request) {
		err = request.err
	}
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		return status.Status().Code
	}
	return 0
}

// isRefusal reports whether the server has said no, so that it has written nothing.
func isRefusal(err error) bool {
	code := codeOf(err)
	return code != 0 && code < http.StatusInternalServerError
}

// passes reports whether what failed may be done if it is tried again.
func (s *secret) passes(err error) bool {
	var request requestError
	if !errors.As(err, &request) || !s.known {
		return false
	}
	switch code := codeOf(err); code {
	case 0, http.StatusConflict, http.StatusTooManyRequests:
		return true
	case http.StatusUnauthorized: // a server that has just started knows nobody yet
		return true
	case http.StatusForbidden: // nor any Role
		return missingVerb(err) == "get"
	case http.StatusNotFound: // the Secret, at its update; not its namespace
		return kindOf(request.err) == secrets.Resource
	default:
		return code >= http.StatusInternalServerError
	}
}

// kindOf returns which kind of object the answer is about.
func kindOf(err error) string {
	var status apierrors.APIStatus
	if errors.As(err, &status) && status.Status().Details != nil {
		return status.Status().Details.Kind
	}
	return ""
}

// explain says what a person can do about a request that failed.
func (s *secret) explain(ctx context.Context, err error) error {
	var request requestError
	if !errors.As(err, &request) {
		return err
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	switch code := codeOf(err); {
	case loginError.MatchString(err.Error()):
		return cli.Fail("log in to it again", "cannot log in to the cluster: %s", loginError.FindStringSubmatch(err.Error())[1])
	case code == 0:
		return cli.Fail("kubectl cluster-info shows whether it is there", "cannot reach the cluster: %w", err)
	case code == http.StatusUnauthorized:
		return cli.Fail("log in to it again; kubectl config current-context says to which", "the cluster does not take your credentials: they are wrong, or have expired")
	case missingVerb(err) != "":
		return s.forbidden(missingVerb(err))
	case code == http.StatusNotFound && kindOf(request.err) == "namespaces":
		return cli.Fail("kubectl create namespace "+s.namespace+" makes it", "there is no namespace %s", s.namespace)
	case code == http.StatusConflict:
		return cli.Fail("--retry-timeout tries longer", "others have changed %s again and again for %s; nothing was written", s, s.patience)
	}
	return cli.Fail("", "the cluster refuses it: %w", err)
}

// loginError is the error of a program that the kubeconfig names to log in with.
// What it goes on with is advice over many lines.
var loginError = regexp.MustCompile(`getting credentials: ([^\n]*)`)

// missingVerb returns the verb that no Role grants, and "" if the request failed
// for another reason.
func missingVerb(err error) string {
	if match := notAllowed.FindStringSubmatch(err.Error()); match != nil && codeOf(err) == http.StatusForbidden {
		return match[1]
	}
	return ""
}

var notAllowed = regexp.MustCompile(`cannot (get|update|create) resource "secrets"`)

func (s *secret) forbidden(verb string) error {
	hint := fmt.Sprintf("a Role that suffices: kubectl create role htpasswd -n %s --verb=get,update --resource=secrets --resource-name=%s", s.namespace, s.name)
	if verb == "create" {
		hint = fmt.Sprintf("a Role that suffices for that: kubectl create role htpasswd-create -n %s --verb=create --resource=secrets", s.namespace)
	}
	return cli.Fail(hint, "you are not allowed to %s %s: it needs the verb %s on the resource secrets", verb, s, verb)
}

// unsure is the error of an edit that may have been made.
func (s *secret) unsure(ctx context.Context, err error) error {
	return cli.Fail(program+" list shows whether it was", "no clear answer came to the write of %s, which may have been done or not: %v", s, s.explain(ctx, err))
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
		verb, name = "create", "" // no Role can allow that for one name
	}
	review := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": reviews.GroupVersion().String(),
		"kind":       "SelfSubjectAccessReview",
		"spec": map[string]any{"resourceAttributes": map[string]any{
			"verb": verb, "resource": secrets.Resource, "namespace": s.namespace, "name": name,
		}},
	}}
	review, err := s.client.Resource(reviews).Create(ctx, review, metav1.CreateOptions{})
	if err != nil {
		return nil // who may not ask will see
	}
	if allowed, found, _ := unstructured.NestedBool(review.Object, "status", "allowed"); found && !allowed {
		return s.forbidden(verb)
	}
	return nil
}

func (s *secret) immutable() error {
	return cli.Fail("it can only be deleted, and made anew", "%s is immutable", s)
}
