package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Whoever would undo an edit is named.
func TestManager(t *testing.T) {
	for want, metadata := range map[string]string{
		"":                   `"labels": {"heritage": "Helm"}, "ownerReferences": [{"kind": "Deployment", "name": "a"}]`,
		"Helm":               `"labels": {"app.kubernetes.io/managed-by": "Helm"}`,
		"ExternalSecret own": `"labels": {"app.kubernetes.io/managed-by": "Helm"}, "ownerReferences": [{"kind": "ExternalSecret", "name": "own", "controller": true}]`,
		"argocd-controller": `"managedFields": [
			{"manager": "kubectl-create", "fieldsV1": {"f:data": {"f:htpasswd": {}}}},
			{"manager": "kubectl-registryctl", "fieldsV1": {"f:data": {"f:htpasswd": {}}}},
			{"manager": "other", "fieldsV1": {"f:data": {"f:other": {}}}},
			{"manager": "argocd-controller", "operation": "Apply", "fieldsV1": {"f:data": {"f:htpasswd": {}}}}]`,
	} {
		object := new(unstructured.Unstructured)
		require.NoError(t, object.UnmarshalJSON([]byte(`{"apiVersion": "v1", "kind": "Secret", "metadata": {`+metadata+`}}`)))
		assert.Equal(t, want, (&secret{fieldManager: defaultManager}).manager(object, "htpasswd"), metadata)
	}
}
